"""What can go wrong, each a small object that strikes a `Yard` once and leaves it whole."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from faults.cart import FRAME, PUBLISHER, RUNTIME, Cart
from faults.yard import EVERYBODY

if TYPE_CHECKING:
    from collections.abc import Sequence

    from faults.yard import Yard

NOBODY_WRITES = "topic read #\ntopic write edge/v1/+/+/state\n"


class Fault(Protocol):
    """``name`` for the book. ``kind``: ``kill`` (a process of ours), ``outage`` (broker or network) or ``other``."""

    @property
    def name(self) -> str: ...
    @property
    def kind(self) -> str: ...
    def strike(self, yard: Yard) -> None: ...


@dataclass(frozen=True)
class KillDaemon:
    """``kill -9`` of the supervisor, which takes all with it; the outbox is read before the next start."""

    name: str = "kill daemon"
    kind: str = "kill"

    def strike(self, yard: Yard) -> None:
        yard.cart.kill()
        yard.produced.look(yard.cart.state_dir)
        yard.cart.start()
        if yard.random.random() < 0.8:  # now and then it is struck again while it starts
            yard.cart.wait_for_work()


@dataclass(frozen=True)
class KillChild:
    """``kill -9`` of one process; the supervisor's business. If it is not there, the supervisor is killed."""

    module: str
    kind: str = "kill"

    @property
    def name(self) -> str:
        return f"kill {self.module.removeprefix('edge.')}"

    def strike(self, yard: Yard) -> None:
        if not yard.cart.strike(self.module):
            KillDaemon().strike(yard)


@dataclass(frozen=True)
class KillBroker:
    """``kill -9``, and back after ``away_s``. What it had acknowledged and not passed on may be gone."""

    away_s: float = 0.5
    name: str = "kill broker"
    kind: str = "outage"

    def strike(self, yard: Yard) -> None:
        yard.broker.kill()
        time.sleep(self.away_s)
        yard.broker.start()
        yard.ear.wait_ready()


@dataclass(frozen=True)
class BrokerAway:
    """Ended in good order, and back after ``away_s``."""

    away_s: float = 2.0
    name: str = "broker away"
    kind: str = "outage"

    def strike(self, yard: Yard) -> None:
        yard.broker.stop()
        time.sleep(self.away_s)
        yard.broker.start()
        yard.ear.wait_ready()


@dataclass(frozen=True)
class BrokerFrozen:
    """SIGSTOP: connections stand, nothing answers."""

    for_s: float = 2.0
    name: str = "broker frozen"
    kind: str = "outage"

    def strike(self, yard: Yard) -> None:
        os.kill(yard.broker.pid, signal.SIGSTOP)
        try:
            time.sleep(self.for_s)
        finally:
            os.kill(yard.broker.pid, signal.SIGCONT)


@dataclass(frozen=True)
class LinkCut:
    """The connection is reset after ``after_bytes`` more: mostly in the midst of a message."""

    after_bytes: int = 700
    name: str = "link cut"
    kind: str = "outage"

    def strike(self, yard: Yard) -> None:
        yard.proxy.cut_after(self.after_bytes)
        time.sleep(0.4)
        yard.proxy.cut()  # if so much was never sent


@dataclass(frozen=True)
class LinkStalled:
    """Nothing gets through for ``for_s``; then it flows on, or is cut with all that waited in it.

    ``answers_only``: messages do get through, their acknowledgements do not. Cut then, all under way is sent twice.
    """

    for_s: float = 2.0
    then_cut: bool = False
    answers_only: bool = False
    kind: str = "outage"

    @property
    def name(self) -> str:
        return ("answers stalled" if self.answers_only else "link stalled") + (", then cut" if self.then_cut else "")

    def strike(self, yard: Yard) -> None:
        yard.proxy.stall(self.answers_only)
        try:
            time.sleep(self.for_s)
            if self.then_cut:
                yard.proxy.cut()
        finally:
            yard.proxy.resume()


@dataclass(frozen=True)
class AclRefuses:
    """The broker takes our messages no more (PUBACK 0x87), and then again."""

    for_s: float = 1.5
    name: str = "acl refuses"
    kind: str = "outage"

    def strike(self, yard: Yard) -> None:
        yard.acl.write_text(NOBODY_WRITES)
        os.kill(yard.broker.pid, signal.SIGHUP)
        try:
            time.sleep(self.for_s)
        finally:
            yard.acl.write_text(EVERYBODY)
            os.kill(yard.broker.pid, signal.SIGHUP)


@dataclass(frozen=True)
class DiskFull:
    """Not a byte is left for the outbox for a while. Needs a yard with a tmpfs."""

    for_s: float = 1.5
    name: str = "disk full"
    kind: str = "other"

    def strike(self, yard: Yard) -> None:
        assert yard.tmpfs
        filler = yard.disk / "filler"
        try:
            with filler.open("wb", buffering=0) as file:
                for block in (bytes(1 << 20), bytes(1 << 12)):  # the rest in small pieces
                    with contextlib.suppress(OSError):
                        while file.write(block) == len(block):
                            pass
            time.sleep(self.for_s)
        finally:
            filler.unlink()


@dataclass(frozen=True)
class Twin:
    """A second device of the same site and name, with a state-dir of its own."""

    for_s: float = 3.0
    name: str = "twin"
    kind: str = "other"

    def strike(self, yard: Yard) -> None:
        if not yard.twins:
            yard.twins.append(Cart(yard.folder / "twin", yard.broker.port))
        twin = yard.twins[0]
        twin.start()
        twin.wait_for_work()
        time.sleep(self.for_s)
        twin.kill()
        yard.produced.look(twin.state_dir)


def keeping(tmpfs: bool) -> Sequence[Fault]:
    """All faults after which nothing may be missing: the broker never forgets what it acknowledged."""
    faults: list[Fault] = [KillDaemon(), KillChild(FRAME), KillChild(PUBLISHER), KillChild(RUNTIME)]
    faults += [BrokerFrozen(1.0), LinkCut(100), LinkCut(2500), LinkStalled(1.0), LinkStalled(0.7, then_cut=True)]
    faults += [LinkStalled(0.5, then_cut=True, answers_only=True)]
    faults += [AclRefuses(1.0), Twin(1.5)]
    return [*faults, DiskFull(1.0)] if tmpfs else faults
