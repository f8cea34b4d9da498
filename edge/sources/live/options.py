"""Options that all live streams have: delays and time limits from the URI, credentials from the URI or the settings."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge.sources.live.reader import LiveOptions

if TYPE_CHECKING:
    from edge.config.settings import StreamSettings
    from edge.config.uri import Uri

COMMON = ("delay_ms", "open_timeout_s", "first_frame_s", "silence_s")
"""Parameters of the URI that all live streams know."""


def live_options(uri: Uri, stream: StreamSettings) -> LiveOptions:
    """Options of one stream. Raises `UsageError` for values that are none."""
    return LiveOptions(
        delay_ms=uri.get("delay_ms", _not_negative, 0.0),
        open_timeout_s=uri.get("open_timeout_s", _positive, 5.0),
        first_frame_s=uri.get("first_frame_s", _positive, 5.0),
        silence_s=uri.get("silence_s", _positive, 0.9) if "silence_s" in uri.params else None,
    )


def _not_negative(text: str) -> float:
    number = float(text)
    if not 0 <= number < 60_000:
        raise ValueError
    return number


def _positive(text: str) -> float:
    number = float(text)
    if not 0 < number <= 600:
        raise ValueError
    return number
