"""Valid names of sites, devices and streams, which stand in topics and file names."""

from __future__ import annotations

import re
from typing import Annotated

import msgspec

NAME_PATTERN = "^[a-z0-9-]{1,32}$"

Name = Annotated[str, msgspec.Meta(pattern=NAME_PATTERN)]
"""A site, device or stream name: lower case letters, digits and hyphens, at most 32."""


def is_name(text: str) -> bool:
    """Whether ``text`` may be used as a site, device or stream name."""
    return re.fullmatch(NAME_PATTERN, text) is not None


def to_name(text: str, default: str) -> str:
    """The nearest valid name to ``text`` (a host name, a URI scheme), or ``default`` if nothing of it is left."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:32].strip("-") or default
