"""Channel between frame process and viewer: file descriptors that the supervisor makes, and both children inherit.

It outlives both of them, so that one that is started again goes on where the other is. No numpy: the supervisor loads
this.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import socket
from dataclasses import dataclass

from edge.process.shared_notes import SharedNotes

SLOTS = 3
"""Slots of a ring, as `edge.sources.live.ring` has them."""
SLOT_HEADER_BYTES = 1 << 17
"""Numbers and note of a slot: the result of a frame with many lesions takes some 50 kB."""
HEADER_BYTES = 64 + SLOTS * SLOT_HEADER_BYTES + 4032
"""Before the pixels; a multiple of a page."""
SLOT_BYTES = 4096 * 2304 * 3
"""Most bytes of a picture. Only what is written takes memory."""


@dataclass(frozen=True, slots=True)
class ChannelFds:
    """File descriptors of one side of the channel, in the order in which a child inherits them."""

    link: int
    """Socket to the other side: reports and events one way, commands the other."""
    ready: int
    """Counter (eventfd) that is added to with every frame."""
    publisher: int
    """Notes of the publisher, see `PublisherNotes`."""
    rings: tuple[int, ...]
    """Shared memory of each stream, in the order of the settings."""

    def as_list(self) -> list[int]:
        """All of them, as `from_list` takes them."""
        return [self.link, self.ready, self.publisher, *self.rings]

    @classmethod
    def from_list(cls, fds: list[int] | tuple[int, ...]) -> ChannelFds:
        """Take the descriptors apart that a child has inherited."""
        link, ready, publisher, *rings = fds
        return cls(link, ready, publisher, tuple(rings))


class ViewerChannel:
    """The supervisor's side: makes all descriptors, hands them to children, and closes them at the end."""

    def __init__(self, streams: int) -> None:
        """Make the channel for so many streams."""
        self._sockets = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._ready = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        self._notes = SharedNotes()
        self._rings = tuple(make_memory() for _ in range(streams))

    @property
    def notes_fd(self) -> int:
        """Descriptor of the publisher's notes."""
        return self._notes.fd

    def frame_fds(self) -> list[int]:
        """Descriptors for the frame process."""
        return ChannelFds(self._sockets[0].fileno(), self._ready, self._notes.fd, self._rings).as_list()

    def viewer_fds(self) -> list[int]:
        """Descriptors for the viewer."""
        return ChannelFds(self._sockets[1].fileno(), self._ready, self._notes.fd, self._rings).as_list()

    def close(self) -> None:
        """Close all descriptors, when no child is started any more."""
        for end in self._sockets:
            end.close()
        self._notes.close()
        for fd in (self._ready, *self._rings):
            with contextlib.suppress(OSError):
                os.close(fd)


def make_memory() -> int:
    """Make the shared memory of one stream's ring; its descriptor. It cannot shrink under who has mapped it."""
    fd = os.memfd_create("sonoedge-view", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    os.ftruncate(fd, HEADER_BYTES + SLOTS * SLOT_BYTES)
    fcntl.fcntl(fd, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SEAL)
    return fd
