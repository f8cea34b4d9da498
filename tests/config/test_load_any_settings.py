"""Random settings survive being loaded from flags and from the environment (property tests of `load_settings`)."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.config.load import load_settings
from edge.config.settings import Settings, StreamSettings

NAMES = st.text("abyz019-", min_size=1, max_size=32)
SETTINGS = st.builds(
    Settings,
    site=NAMES,
    drain_timeout_s=st.floats(0, 1e6),
    streams=st.lists(
        st.builds(
            StreamSettings,
            name=NAMES,
            source=st.just("phantom://?seed=1"),
            body_part=st.none() | st.text(max_size=8),
            laterality=st.sampled_from([None, "L", "R"]),
        ),
        max_size=3,
        unique_by=lambda stream: stream.name,
    ),
)


@pytest.mark.slow
@settings(max_examples=50)
@given(SETTINGS)
def test_any_settings_come_through_flags_as_they_are(any_settings: Settings) -> None:
    assert load_settings(None, {}, msgspec.structs.asdict(any_settings)) == any_settings


@settings(max_examples=50)
@given(SETTINGS)
def test_any_settings_come_through_the_environment_as_json(any_settings: Settings) -> None:
    plain = msgspec.to_builtins(any_settings)
    environ = {"EDGE_STREAMS": msgspec.json.encode(plain["streams"]).decode(), "EDGE_SITE": any_settings.site}
    loaded = load_settings(None, environ, {})
    assert (loaded.site, loaded.streams) == (any_settings.site, any_settings.streams)
