"""Simulated device: the messages that a device would publish, and a record of which were lost, repeated or expired.

Pure, without I/O; nothing that it publishes is a real finding. Its messages are the contract's own types. What a
consumer must find out from the messages alone (lost, repeated, expired) stands in `SimulatedDevice.delivery`.
"""

from __future__ import annotations

import random
import uuid
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, NamedTuple, TypedDict

import msgspec

from edge import __version__
from edge.app.envelope import EnvelopeFields, EnvelopeMaker
from edge.contracts import topics
from edge.contracts.decoding import UnreadableError, convert_value, decode_json
from edge.contracts.finding import ModelRef, RuntimeRef
from edge.contracts.health import Health
from edge.contracts.request import Request, ResendArgs, Response
from edge.contracts.results import Reason, Status
from edge.contracts.state import OutboxState, State, StreamState, Will
from edge.contracts.topics import Topics
from edge.fleet.ranges import RangeSet
from edge.schema import examples

if TYPE_CHECKING:
    from edge.contracts.coverage import Coverage
    from edge.contracts.finding import Finding

STREAM = "cart"
MODEL = ModelRef(name="simulated", version=__version__, sha256="00" * 32)
RUNTIME = RuntimeRef(name="simulated", delegate=None)
RESEND = "findings/resend"
COVERAGE_SHARE = 0.1
"""Share of coverage messages among the durable messages; the others are findings."""
KEEP, PENDING = 1000, 100
"""Messages that a device keeps, and that it keeps for a receiver that is away."""


HEALTH_EVERY_S = 5.0
"""Seconds between two ``health`` messages, as its ``state`` tells; whoever plays it holds to that."""


class SimulatedMessage(NamedTuple):
    """One MQTT message for a broker: topic, payload, QoS, retain flag."""

    topic: str
    body: bytes
    qos: int = 1
    retain: bool = False


@dataclass(slots=True)
class DeliveryRecord:
    """Record of what became of a device's durable messages: made, lost, expired, repeated, resent."""

    made: int = 0
    lost: RangeSet = field(default_factory=RangeSet)
    """Said to have been sent, but never were: as by a broker that forgets. What was asked for again stays in it."""
    expired: RangeSet = field(default_factory=RangeSet)
    """Given up while the device was offline, because too many waited; announced in ``state`` and ``health``."""
    repeated: int = 0
    """Sent though they had been sent before."""
    resent: int = 0
    """Sent on request."""
    requests: int = 0


class _DurableFields(TypedDict):
    stream: str
    epoch: str
    seq: int


class SimulatedDevice:
    """One simulated device. Every method returns the messages to be published, in order."""

    def __init__(
        self, site: str, name: str, seed: int = 0, *, root: str = "edge/v1", keep: int = KEEP, pending: int = PENDING
    ) -> None:
        """Equal ``seed``, equal choices. ``keep`` and ``pending``: messages, at least 1."""
        self.topics = Topics(site, name, root)
        self.delivery = DeliveryRecord()
        self.epoch = str(uuid.uuid4())
        self.offline = False
        self.degraded = False
        self._random = random.Random(seed)  # noqa: S311 - chooses faults, guards nothing
        self._keep, self._pending_max = keep, pending
        self._kept: deque[Finding | Coverage] = deque()
        """In order of seq: the last ones sent, and those that wait."""
        self._pending: deque[Finding | Coverage] = deque()
        self._sent: RangeSet = RangeSet()
        self._next_seq = 1
        self._begin_run()

    def _begin_run(self) -> None:
        self._envelopes = EnvelopeMaker(self.topics.device, str(uuid.uuid4()))
        self._run_id: str = self._envelope_fields()["run_id"]

    def _envelope_fields(self) -> EnvelopeFields:
        return self._envelopes.fields()

    def state(self, status: Literal["online", "degraded", "offline"] | None = None) -> list[SimulatedMessage]:
        """Make the ``state`` message, retained; ``status``: None for online or degraded, as it is."""
        reasons = ["stopped"] if status == "offline" else ["runtime_fallback"] if self.degraded else []
        message = State(
            **self._envelope_fields(),
            status=status or ("degraded" if self.degraded else "online"),
            reasons=reasons,
            version=__version__,
            model=MODEL,
            runtime=RUNTIME,
            streams=[StreamState(name=STREAM, source="phantom://")],
            health_every_s=HEALTH_EVERY_S,
            capabilities=["findings", "coverage", "health", "requests"],
            outbox=OutboxState(
                epoch=self.epoch,
                oldest_kept=self._oldest_kept(),
                next_seq=self._next_seq,
                expired=list(self.delivery.expired),
            ),
        )
        return [self._message(topics.STATE, message, retain=True)]

    def health(self) -> list[SimulatedMessage]:
        """Make the ``health`` message with random numbers; nothing while it is offline."""
        if self.offline:
            return []
        total = self._random.uniform(8.0, 12.0)
        message = Health(
            **self._envelope_fields(),
            uptime_s=0.0,
            fps=round(self._random.uniform(24.0, 30.0), 1),
            frames=self.delivery.made,
            finding=self.delivery.made,
            clear=0,
            abstained=0,
            no_result=0,
            dropped=0,
            total_p50_ms=round(total * 0.8, 2),
            total_p99_ms=round(total * (3.0 if self.degraded else 1.0), 2),
            temperature_c=round(self._random.uniform(45.0, 75.0), 1),
            outbox_depth=len(self._pending),
            outbox_epoch=self.epoch,
            outbox_oldest_kept=self._oldest_kept(),
            outbox_next_seq=self._next_seq,
            outbox_expired=list(self.delivery.expired),
        )
        return [self._message(topics.HEALTH, message, qos=0)]

    def produce(self, *, lose: bool = False) -> list[SimulatedMessage]:
        """The next durable message. ``lose``: the device believes that it arrived, and it did not."""
        message = self._next_message()
        self.delivery.made += 1
        self._kept.append(message)
        if self.offline:
            self._pending.append(message)
            self._expire()
            return []
        self._expire()
        if lose:
            self.delivery.lost.add(message.seq)
            return []
        return [self._send(message)]

    def repeat(self) -> list[SimulatedMessage]:
        """One message that was sent before, again: as after an acknowledgement that did not come back."""
        known = [each for each in list(self._kept)[-20:] if each.seq in self._sent]
        if self.offline or not known:
            return []
        self.delivery.repeated += 1
        return [self._send(self._random.choice(known), replayed=True)]

    def disconnect(self) -> list[SimulatedMessage]:
        """The connection breaks: the broker publishes the last will."""
        if self.offline:
            return []
        self.offline = True
        return [self._will()]

    def reconnect(self, *, restarted: bool = False) -> list[SimulatedMessage]:
        """Connect again: the ``state`` message, then the messages that had waited.

        ``restarted``: as a new run, and the old one's will comes late; a device that receives it sends its state again.
        """
        if not self.offline:
            return []
        self.offline = False
        messages: list[SimulatedMessage] = []
        if restarted:
            late = self._will()
            self._begin_run()
            messages += [*self.state(), late]
        messages += self.state()
        while self._pending:
            messages.append(self._send(self._pending.popleft(), replayed=True))
        self._expire()
        return messages

    def toggle_degraded(self) -> list[SimulatedMessage]:
        """Change from online to degraded, or back; its new ``state`` message."""
        self.degraded = not self.degraded
        return [] if self.offline else self.state()

    def answer(self, command: str, body: bytes) -> list[SimulatedMessage]:
        """Answer a request ``findings/resend {epoch, from, to, ranges}``; an offline device receives none."""
        if self.offline or command != RESEND:
            return []
        try:
            request = decode_json(body, Request)
            wanted = convert_value(request.args, ResendArgs)
        except UnreadableError:
            return []
        self.delivery.requests += 1
        if wanted.epoch != self.epoch:
            return [self._respond(request.id, "unknown_epoch", 0)]
        ranges = RangeSet(each for each in wanted.ranges or [(wanted.first, wanted.last)] if each[0] <= each[1])
        found = [each for each in self._kept if each.seq in ranges]
        self.delivery.resent += len(found)
        self.delivery.repeated += sum(each.seq in self._sent for each in found)
        return [self._respond(request.id, None, len(found)), *(self._send(each, replayed=True) for each in found)]

    def _respond(self, request_id: str, error: str | None, sent: int) -> SimulatedMessage:
        response = Response(
            **self._envelope_fields(),
            id=request_id,
            command=RESEND,
            ok=error is None,
            error=error,
            result={"sent": sent},
        )
        return self._message(f"response/{RESEND}", response)

    def _next_message(self) -> Finding | Coverage:
        seq, self._next_seq = self._next_seq, self._next_seq + 1
        head: _DurableFields = {"stream": STREAM, "epoch": self.epoch, "seq": seq}
        stamp = self._envelope_fields()
        if self._random.random() < COVERAGE_SHARE:
            return msgspec.structs.replace(
                examples.coverage(), **stamp, **head, status=Status.ABSTAINED, reason=Reason.BLACK
            )
        malignancy = round(self._random.random(), 2)
        return msgspec.structs.replace(
            examples.finding(),
            **stamp,
            **head,
            finding_id=str(uuid.UUID(int=self._random.getrandbits(128), version=4)),
            captured_at=stamp["at"],
            malignancy=malignancy,
            suspicious=malignancy >= 0.5,
            call_uncertain=0.4 < malignancy < 0.6,
            model=MODEL,
            runtime=RUNTIME,
        )

    def _send(self, message: Finding | Coverage, *, replayed: bool = False) -> SimulatedMessage:
        self._sent.add(message.seq)
        kind = topics.findings if message.schema == "finding/1" else topics.coverage
        if replayed:
            message = msgspec.structs.replace(message, replayed=True)
        return self._message(kind(STREAM), message)

    def _expire(self) -> None:
        """Give up what is too much: waiting messages by announced range, acknowledged ones quietly."""
        while len(self._pending) > self._pending_max:
            message = self._pending.popleft()
            self._kept.remove(message)
            self.delivery.expired.add(message.seq)
        while len(self._kept) - len(self._pending) > self._keep:
            self._kept.popleft()

    def _oldest_kept(self) -> int | None:
        return self._kept[0].seq if self._kept else None

    def _will(self) -> SimulatedMessage:
        will = Will(device=self.topics.device, run_id=self._run_id)
        return self._message(topics.STATE, will, retain=True)

    def _message(self, suffix: str, message: msgspec.Struct, qos: int = 1, retain: bool = False) -> SimulatedMessage:
        return SimulatedMessage(self.topics.full(suffix), msgspec.json.encode(message), qos, retain)
