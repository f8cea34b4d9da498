"""Ports: interfaces behind which every part can be exchanged. Each has a public fake for tests.

    Source      frames in                          fake: ``replay``
    Runtime     tensors to outputs                 fake: ``scripted``
    Sink        stored messages out                fake: ``memory``
    Link        a sink that also receives          fake: ``memory``
    FrameLink   frame process -> publisher         fake: ``edge.app.frame_link.MemoryFrameLink``
    Tap         pixels and result, for the viewer
    Clock       time, so that tests can hold it

All are closable, `close` may be called twice and from another thread.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

    from edge.contracts.envelope import Durable, Envelope
    from edge.contracts.frame_result import Result
    from edge.contracts.frames import Frame, SourceEvent
    from edge.contracts.state import StreamInput
    from edge.contracts.tensors import RuntimeSpec, Tensor
    from edge.contracts.topics import Topics


@runtime_checkable
class Source(Protocol):
    """Source of the frames of one stream: camera, file, DICOM, replay."""

    live: bool
    """True: frames come when they come, and old ones are worth nothing. False: a file source, which loses none."""

    def open(self) -> None:
        """Get ready to read, or raise `SourceError`. May be called again after a ``lost`` event."""

    def read(self, timeout_s: float) -> Frame | SourceEvent | None:
        """The next frame or event; None if neither came within ``timeout_s``. Never raises for bad input."""

    def close(self) -> None:
        """Release everything; a `read` in another thread returns soon after."""


@runtime_checkable
class DescribedSource(Protocol):
    """Live source that knows what it really gives."""

    def describe(self) -> StreamInput | None:
        """What the stream is, since it was last opened; None: it never was."""


@runtime_checkable
class FrameDropper(Protocol):
    """Live source that drops frames itself, before anyone could read them, and counts them."""

    dropped: int
    """How many were dropped since it was made."""


@runtime_checkable
class Runtime(Protocol):
    """Inference runtime: computes outputs from tensors, in order.

    Call `submit`, then `wait`; ``spec.takes`` submits may go ahead.
    """

    spec: RuntimeSpec

    def submit(self, tensor: Tensor) -> None:
        """Start computing ``tensor``. Its buffer may be filled anew as soon as this returns.

        Raises `DeviceError` if the runtime is gone, ValueError on another shape or dtype than the spec's.
        """

    def wait(self, timeout_s: float) -> Mapping[str, NDArray[Any]] | None:
        """Raw outputs of the oldest tensor not waited for, by head name, in shape and dtype of its `TensorSpec`.

        They are valid until the next `submit`. None: not done within ``timeout_s``, and nothing more can be expected.

        Raises `DeviceError` if the runtime died.
        """

    def close(self) -> None:
        """Release the model and, if isolated, end the process."""


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One encoded message on its way to a sink."""

    suffix: str
    """Topic below the device's prefix."""
    body: bytes
    """UTF-8 JSON."""
    seq: int | None
    """Number of a durable message, to be acknowledged; None: send once and forget."""
    qos: int = 1
    retain: bool = False
    late: bool = False
    """True: the message is of a backlog, and a sink may let others go first, but not for ever."""


@dataclass(frozen=True, slots=True)
class Incoming:
    """One message that a link received from the broker."""

    suffix: str
    """Topic below the device's prefix."""
    body: bytes
    """Bytes of the message as it came: anything."""


@dataclass(frozen=True, slots=True)
class SinkIdentity:
    """Identity of the device, as far as a sink needs it: topics, run and last will."""

    topics: Topics
    run_id: str
    will: bytes
    """Body of the last will, for sinks that can leave one."""


@runtime_checkable
class Sink(Protocol):
    """Receiver of messages (broker, file), in the publisher process. Nothing here blocks.

    What cannot be taken now is offered again.
    """

    name: str
    durable: bool
    """Whether findings wait for this sink's acknowledgement before they may leave the outbox."""
    session: int
    """Number of the present connection, from 1; 0 while there is none. A new number: introduce yourself anew."""

    def open(self) -> None:
        """Start connecting; raise `SinkError` only for what waiting cannot mend (a bad path, a bad certificate)."""

    def send(self, message: Outgoing) -> bool:
        """Whether the message was taken to be sent. A durable one not taken is offered again; another is dropped."""

    def acked(self) -> Sequence[int]:
        """Seq of durable messages that were acknowledged since the last call: they arrived for good."""

    def returned(self) -> Sequence[int]:
        """Seq of messages taken, but neither arrived nor on their way any more, since the last call: offer them again.

        The connection broke under them, or the receiver refused them.
        """

    def wake_on(self, callback: Callable[[], None]) -> None:
        """Call ``callback``, from any thread, when there may be acknowledgements or the connection came back."""

    def problems(self) -> Sequence[str]:
        """Why this sink is not well, one word each (``refused``, ``unreachable``); empty: it is."""

    def close(self, timeout_s: float) -> None:
        """Wait up to ``timeout_s`` for acknowledgements, then disconnect and release everything."""


@runtime_checkable
class Link(Sink, Protocol):
    """Sink that also receives messages; both directions share one connection."""

    def listen(self, suffix: str) -> None:
        """Subscribe to ``suffix`` and all below it, on this connection and every later one. Call it before `open`."""

    def heard(self) -> Sequence[Incoming]:
        """Messages received since the last call, in order; retained ones, which the broker kept, are not among them.

        Of a flood only the newest are kept.
        """


@runtime_checkable
class FrameLink(Protocol):
    """Channel from the frame process to the publisher. Neither call ever blocks on a network or a disk."""

    def durable(self, suffix: str, message: Durable) -> bool:
        """Keep ``message`` until every durable sink has it; epoch and seq are filled in. False: there is no room."""

    def latest(self, suffix: str, message: Envelope) -> None:
        """Send ``message`` if that can be done now, else drop it."""

    def close(self, timeout_s: float) -> None:
        """Close; everything handed over is on disk when this returns within ``timeout_s``."""


@runtime_checkable
class Tap(Protocol):
    """Observer of frames, their results, and source events. Never slows the loop: it may miss frames."""

    def offer(self, frame: Frame, result: Result, exam_id: str, track_ids: Sequence[str | None]) -> None:
        """Take ``frame`` and ``result`` if there is time; return at once.

        ``track_ids``: id of the track of each lesion (of each label given), in their order; None: not confirmed.
        """

    def event(self, stream: str, event: SourceEvent, exam_id: str) -> None:
        """Take note that a source gave no frame, and why; return at once."""


@runtime_checkable
class Clock(Protocol):
    """Clock of the device: monotonic time, and the date with its trust."""

    def monotonic_ns(self) -> int:
        """Monotonic time in nanoseconds: never goes back, says nothing of the date."""

    def utc(self) -> str:
        """Date and time in UTC, RFC 3339 with microseconds and ``Z``."""

    def synced(self) -> bool:
        """Whether the date can be trusted."""
