"""The template that ``config init`` writes, and the effective settings that ``config show`` shows."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from msgspec import inspect as types

from edge.config.config_template import RETIRED, config_template
from edge.config.effective_settings import masked_settings, setting_origins, settings_as_toml
from edge.config.field_docs import field_docs
from edge.config.load import load_settings, try_loading
from edge.config.settings import Settings, SettingsSection
from edge.config.toml_lines import key_lines
from edge.config.validate import without_none

if TYPE_CHECKING:
    from pathlib import Path


def sections(cls: type[Any] = Settings) -> list[type[Any]]:
    """All classes of the tree."""
    info = types.type_info(cls)
    assert isinstance(info, types.StructType)
    found = [cls]
    for field in info.fields:
        kind = without_none(field.type)
        kind = without_none(kind.item_type) if isinstance(kind, types.ListType) else kind
        if isinstance(kind, types.StructType):
            found += sections(kind.cls)
    return found


def uncommented() -> str:
    return re.sub(r"^#(?=\S)", "", config_template(), flags=re.MULTILINE)


def test_as_written_it_loads_to_the_defaults(tmp_path: Path) -> None:
    path = tmp_path / "edge.toml"
    path.write_text(config_template())
    assert load_settings(path, {}, {}) == Settings()


def test_with_everything_uncommented_it_loads_and_holds_each_field_at_its_default(tmp_path: Path) -> None:
    path = tmp_path / "edge.toml"
    path.write_text(uncommented())
    settings = load_settings(path, {}, {})
    assert len(settings.streams) == len(settings.sinks) == 1
    for name in ("runtime", "tracking", "exam", "outbox", "publish", "log"):
        assert getattr(settings, name) == getattr(Settings(), name)
    for given, cls in [(settings, Settings), (settings.streams[0], None), (settings.sinks[0], None)]:
        for key, value in msgspec.structs.asdict(given).items():
            assert value is not None, f"{cls or type(given)}.{key} is not in the template"


def test_every_field_of_every_section_stands_in_it_below_its_meaning() -> None:
    lines, text = key_lines(uncommented()), uncommented()
    names = {path[-1] for path in lines}
    flat = " ".join(text.replace("\n# ", " ").split())
    for cls in sections():
        docs = field_docs(cls)
        for field in cls.__struct_fields__:
            assert (field in names) != ((cls.__name__, field) in RETIRED)
            if field not in names:
                continue
            if field in docs:
                assert docs[field].replace("None:", "Not set:") in flat


def test_every_single_setting_has_a_docstring() -> None:
    for cls in sections():
        assert cls.__doc__
        for field in types.type_info(cls).fields:  # type: ignore[attr-defined]
            kind = without_none(field.type)
            is_table = isinstance(kind, (types.StructType, types.ListType))
            assert is_table or field_docs(cls).get(field.name), f"{cls.__name__}.{field.name}"
    assert field_docs(SettingsSection) == {}


FILE = """site = "a"
[[streams]]
name = "cam"
source = "rtsp://me:hunter2@cart/x?token=hunter3"
[streams.calibration]
box = [1, 2, 3, 4]
mm_x = 0.1
mm_y = 0.1
[log]
level = "error"
"""


def test_show_tells_where_each_value_comes_from_and_loads_again(tmp_path: Path) -> None:
    path = tmp_path / "edge.toml"
    path.write_text(FILE)
    environ = {"EDGE_LOG__FORMAT": "json", "EDGE_SINKS": '[{"uri": "mqtt://h"}]'}
    loaded = try_loading(path, environ, {"device": "d"})
    assert loaded.settings is not None
    said = setting_origins(loaded.settings, loaded.layers)
    assert said["site"] == f"file {path}:1"
    assert said["streams[0].calibration.box"] == f"file {path}:6"
    assert said["streams[0].body_part"] == "default"
    assert said["sinks[0].uri"] == "environment EDGE_SINKS"
    assert said["sinks[0].durable"] == "default"
    assert said["log.format"] == "environment EDGE_LOG__FORMAT"
    assert said["log.level"] == f"file {path}:10"
    assert said["device"] == "flag --device"
    assert said["model"] == "default"

    text = settings_as_toml(loaded.settings, loaded.layers)
    assert "hunter" not in text
    again = tmp_path / "again.toml"
    again.write_text(text)
    expected = msgspec.convert(masked_settings(loaded.settings), Settings)
    assert load_settings(again, {}, {}) == expected
    assert expected.streams[0].source == "rtsp://me:***@cart/x?token=***"


def test_the_defaults_can_be_shown() -> None:
    loaded = try_loading(None, {}, {})
    assert loaded.settings is not None
    assert set(setting_origins(loaded.settings, loaded.layers).values()) == {"default"}
    assert "# device is not set" in settings_as_toml(loaded.settings, loaded.layers)


@pytest.mark.parametrize(
    "value", [True, 3, -1.5, 1e-9, 'a "b" \\ \n \x7f é', [1, 2], [], {"a b": "c", "d": [{"e": 1}]}]
)
def test_values_written_as_toml_are_read_back(value: Any, tmp_path: Path) -> None:
    from edge.config.load import read_toml
    from edge.config.toml_text import toml_value

    path = tmp_path / "v.toml"
    path.write_text(f"v = {toml_value(value)}\n", encoding="utf-8")
    assert read_toml(path)[0] == {"v": value}
