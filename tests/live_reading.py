"""Reads a live source for tests: until a condition holds, with what came counted."""

from __future__ import annotations

import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from clock_pixels import PictureClock, read_clock

from edge.config.settings import StreamSettings
from edge.config.uri import parse_uri
from edge.contracts.errors import EdgeError
from edge.contracts.frames import Frame, SourceEvent

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from edge.contracts.ports import Source

HANG_S = 60.0
"""Longest wait for anything: whatever takes longer hangs."""
STREAM = "cart-1"


@dataclass
class Reading:
    """All that came from a source, in order."""

    frames: list[Frame] = field(default_factory=list)
    clocks: list[PictureClock | None] = field(default_factory=list)
    ages_ns: list[int] = field(default_factory=list)
    """How old each picture was when it was read, by the clock in it; -1: it has none that can be read."""
    read_ns: list[int] = field(default_factory=list)
    """When each frame was read."""
    events: list[SourceEvent] = field(default_factory=list)
    errors: list[EdgeError] = field(default_factory=list)
    """What opening it again raised."""

    @property
    def last(self) -> Frame | SourceEvent | None:
        return self._last

    _last: Frame | SourceEvent | None = None

    def details(self, kind: str) -> list[str]:
        return [event.detail for event in self.events if event.kind == kind]

    def add(self, item: Frame | SourceEvent) -> None:
        self._last = item
        if isinstance(item, SourceEvent):
            self.events.append(item)
            return
        clock = read_clock(item.pixels)
        self.frames.append(item)
        self.read_ns.append(time.monotonic_ns())
        self.clocks.append(clock)
        self.ages_ns.append(-1 if clock is None else time.monotonic_ns() - clock.at_ns)


@contextmanager
def opened(kind: type, uri: str, **settings: object) -> Iterator[Source]:
    """A source of this class, opened; closed at the end."""
    source = make(kind, uri, **settings)
    try:
        source.open()
        yield source
    finally:
        source.close()


def make(kind: type, uri: str, **settings: object) -> Source:
    return kind(parse_uri(uri), StreamSettings(name=STREAM, source=uri, **settings))


def read_until(
    source: Source, done: Callable[[Reading], bool], reading: Reading | None = None, *, reopen: bool = True
) -> Reading:
    """Read, and open again what is lost, until ``done``; fails where that takes for ever."""
    reading = reading or Reading()
    deadline = time.monotonic() + HANG_S
    while not done(reading):
        assert time.monotonic() < deadline, f"it never came: {len(reading.frames)} frames, {reading.events[-5:]}"
        item = source.read(0.1)
        if item is None:
            continue
        reading.add(item)
        if reopen and isinstance(item, SourceEvent) and item.kind == "lost" and not done(reading):
            time.sleep(0.05)
            try:
                source.open()
            except EdgeError as error:
                reading.errors.append(error)
    return reading


def frames(count: int) -> Callable[[Reading], bool]:
    return lambda reading: len(reading.frames) >= count


def event(kind: str) -> Callable[[Reading], bool]:
    return lambda reading: any(one.kind == kind for one in reading.events)
