"""URL of a network stream as FFmpeg wants it: with user name and password in it, since it takes them nowhere else."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

if TYPE_CHECKING:
    from edge.sources.live.reader import LiveOptions


def with_credentials(options: LiveOptions) -> str:
    """The stream's location with user name and password. Never to be shown, logged or put into an environment."""
    if options.username is None:
        return options.location
    password = "" if options.password is None else f":{quote(options.password, safe='')}"
    scheme, _, rest = options.location.partition("://")
    return f"{scheme}://{quote(options.username, safe='')}{password}@{rest}"
