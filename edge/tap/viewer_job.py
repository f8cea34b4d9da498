"""Job description that the supervisor hands to the viewer when it starts it."""

from __future__ import annotations

import msgspec

from edge.config.settings import LogSettings, Settings
from edge.config.view_settings import ViewSettings


class ViewerJob(msgspec.Struct, frozen=True, kw_only=True):
    """What the viewer needs to know of the daemon; nothing of it is secret."""

    site: str
    device: str
    streams: list[str]
    view: ViewSettings
    log: LogSettings
    model: Settings | None = None
    """Settings of the model, for occlusion maps: nothing of streams and receivers. None: there is none to be asked."""
    has_sinks: bool = True
    """Whether anybody receives what is found."""
