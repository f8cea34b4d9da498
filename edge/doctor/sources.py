"""Checks of the configured streams: each is opened and read from once, in a child process of its own."""

from __future__ import annotations

import os
import select
from typing import TYPE_CHECKING

import msgspec

from edge.config.uri import parse_uri
from edge.contracts.decoding import UnreadableError, decode_json
from edge.contracts.errors import ConfigError, SourceError, UsageError
from edge.contracts.state import StreamInput
from edge.doctor.check import absent, ok, warning, wrong
from edge.process.child import Child

if TYPE_CHECKING:
    from collections.abc import Iterator

    from edge.config.settings import Settings, StreamSettings
    from edge.doctor.check import Check

GROUP = "sources"
CHILD = "edge.doctor.source_child"
CHILD_TIMEOUT_S = 30.0
"""For a child on a slow machine to start, to open the source and to get one frame."""


class SourceProbe(msgspec.Struct, frozen=True, kw_only=True):
    """What the child found when it opened and read a source."""

    size: tuple[int, int] | None = None
    """(width, height) in pixels of the first frame."""
    input: StreamInput | None = None
    """What a live source says of its stream."""
    error: str = ""
    hint: str = ""
    exit_code: int = 0
    measured: tuple[str, ...] = ()
    """What some frames of a live source showed, in words."""
    silent: bool = False
    """It opened, but no frame came."""


def check_sources(settings: Settings) -> Iterator[Check]:
    """Check each stream of the settings."""
    if not settings.streams:
        yield absent(GROUP, "streams", "none configured: say --source when you run, or see --config")
    for stream in settings.streams:
        yield _check(stream)


def _check(stream: StreamSettings) -> Check:
    name = f"{stream.name} ({parse_uri(stream.source).redacted()})"
    found = probe_source(stream)
    if found is None:
        return wrong(GROUP, name, f"does not answer within {CHILD_TIMEOUT_S:.0f} s", "is it on, plugged in, in reach?")
    if found.error:
        code = ConfigError.exit_code if found.exit_code == UsageError.exit_code else SourceError.exit_code
        return wrong(GROUP, name, found.error, found.hint or "correct its source", code)
    if found.size is None:
        return warning(GROUP, name, "opens, but no frame came", "is the scanner sending?")
    said = f"gives frames of {found.size[0]} x {found.size[1]}{_details(found.input)}"
    return ok(GROUP, name, "; ".join((said, *found.measured)))


def _details(given: StreamInput | None) -> str:
    """What a live source says of its stream, in brackets: ``(h264, 30/s, by PyAV 18.1.0)``."""
    if given is None:
        return ""
    rate = "" if given.fps is None else f"{given.fps:.4g}/s"
    decoder = f"by {given.decoder}" if given.decoder else ""
    said = ", ".join(part for part in (given.format, rate, decoder) if part)
    return f" ({said})" if said else ""


def probe_source(stream: StreamSettings) -> SourceProbe | None:
    """Probe ``stream`` in a child process; None if it hung or died."""
    reading, writing = os.pipe2(os.O_CLOEXEC)
    child: Child | None = None
    try:
        try:
            child = Child(CHILD, msgspec.json.encode(stream), (writing,), own_stdout=False)
        finally:
            os.close(writing)
        if not select.select([reading], [], [], CHILD_TIMEOUT_S)[0]:
            return None
        said = os.read(reading, 1 << 16)
        try:
            return decode_json(said, SourceProbe)
        except UnreadableError:  # it died before, or in the middle
            return None
    finally:
        os.close(reading)
        if child is not None:
            child.kill()
