"""Lets several deliveries share one sink: each has message numbers and acknowledgements of its own."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edge.contracts.ports import Outgoing, Sink

PART_BITS = 96
"""A sink gets a message's number with that of its part above these bits; they are Python's integers, of any size."""


class SharedSink:
    """A sink that several deliveries share; each gets a `SharedSinkPart` of it."""

    def __init__(self, sink: Sink) -> None:
        self.sink = sink
        self._parts: list[SharedSinkPart] = []

    def part(self) -> SharedSinkPart:
        """Create a new part, with numbers of its own."""
        self._parts.append(SharedSinkPart(self, len(self._parts)))
        return self._parts[-1]

    def collect(self) -> None:
        """Take from the sink which messages arrived and which were returned, and give each part its own."""
        for number in self.sink.acked():
            self._parts[number >> PART_BITS].acknowledged.append(number & (1 << PART_BITS) - 1)
        for number in self.sink.returned():
            self._parts[number >> PART_BITS].came_back.append(number & (1 << PART_BITS) - 1)


class SharedSinkPart:
    """One user's part of a `SharedSink`: as much of the `Sink` interface as a `Delivery` needs."""

    def __init__(self, shared: SharedSink, number: int) -> None:
        self._shared, self._number = shared, number
        self.name, self.durable = shared.sink.name, shared.sink.durable
        self.acknowledged: list[int] = []
        self.came_back: list[int] = []

    @property
    def session(self) -> int:
        """Implement `Sink.session`: number of the present connection; 0 while there is none."""
        return self._shared.sink.session

    def send(self, message: Outgoing) -> bool:
        """Implement `Sink.send`: whether the message was taken."""
        if message.seq is not None and self._number:
            message = replace(message, seq=message.seq | self._number << PART_BITS)
        return self._shared.sink.send(message)

    def acked(self) -> Sequence[int]:
        """Implement `Sink.acked`: seq of messages of this part that arrived for good since the last call."""
        self._shared.collect()
        seqs, self.acknowledged = self.acknowledged, []
        return seqs

    def returned(self) -> Sequence[int]:
        """Implement `Sink.returned`: seq of messages of this part that are to be offered again."""
        self._shared.collect()
        seqs, self.came_back = self.came_back, []
        return seqs
