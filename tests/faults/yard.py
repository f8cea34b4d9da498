"""The breaking yard: a real broker, a proxy before it, a daemon under load, an outside consumer, and a book."""

from __future__ import annotations

import contextlib
import random
import subprocess
import time
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from brokers import Mosquitto
from faults.accounting import Account, Produced, compare
from faults.cart import Cart
from faults.ear import Ear
from faults.proxy import Proxy

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from faults.faults import Fault

EVERYBODY = "topic readwrite #\n"
BROKER_LINES = "max_queued_messages 0\nmax_queued_bytes 0\nmax_inflight_messages 20\n"
DRAIN_S = 90.0


@dataclass(frozen=True)
class Outcome:
    """What a run of the yard has shown."""

    account: Account
    struck: dict[str, int]
    """By fault, how often."""
    repairable: int
    """Missing messages that the device still has: they can be asked for again."""
    undelivered: int
    """Messages that the daemon did not get rid of in `DRAIN_S` after the last fault."""
    fell_over: int
    """How often a daemon ended though nobody had killed or stopped it."""
    looks: int


class Yard:
    """Use in ``with``. Faults reach for its parts."""

    def __init__(
        self,
        folder: Path,
        *,
        seed: int,
        persistence: bool = True,
        tmpfs_mb: int = 0,
        require_subscriber: bool = False,
    ) -> None:
        """``tmpfs_mb``: size of a file system of its own for the state-dir, so that it can be full; 0: none."""
        self.random = random.Random(seed)
        self.produced = Produced()
        self.fell_over = 0
        self.struck: Counter[str] = Counter()
        self.folder = folder
        self.disk = folder / "disk"
        self.disk.mkdir(parents=True)
        self.tmpfs = tmpfs_mb > 0
        if self.tmpfs:
            options = ["-t", "tmpfs", "-o", f"size={tmpfs_mb}m", "yard", str(self.disk)]
            subprocess.run(["mount", *options], check=True, capture_output=True)
        self.broker = Mosquitto(folder / "broker", persistence=persistence, acl=EVERYBODY, lines=BROKER_LINES)
        self.acl = folder / "broker" / "acl"
        self.broker.start()
        self.ear = Ear(self.broker.port)
        self.proxy = Proxy(self.broker.port)
        self.cart = Cart(self.disk / "cart", self.proxy.port, require_subscriber=require_subscriber)
        self.twins: list[Cart] = []
        self.cart.start()
        self.cart.wait_for_work()

    def __enter__(self) -> Yard:
        return self

    def __exit__(self, *_: object) -> None:
        for cart in (self.cart, *self.twins):
            cart.kill()
        self.proxy.close()
        self.ear.close()
        self.broker.kill()
        if self.tmpfs:
            subprocess.run(["umount", "--lazy", str(self.disk)], check=False)

    def strike(self, fault: Fault) -> None:
        """One fault, and what must have outlived it."""
        fault.strike(self)
        self.struck[fault.name] += 1
        self.produced.look(self.cart.state_dir)
        if not self.cart.running:
            self.fell_over += 1
            self.cart.start()

    def torture(
        self, faults: Sequence[Fault], pause_s: tuple[float, float], *, in_full_swing: bool = False
    ) -> Iterator[Fault]:
        """Strike ``faults`` one after another, at odd moments; yields each when it is over.

        ``in_full_swing``: only when the daemon has got over the one before.
        """
        for fault in faults:
            if in_full_swing:
                self.cart.wait_for_work()
            time.sleep(self.random.uniform(*pause_s))
            self.strike(fault)
            yield fault

    def settle(self) -> Outcome:
        """All is well again: let everything arrive, end the daemon, and draw up the account."""
        left = 0
        for cart in (self.cart, *self.twins):
            left += self._drain(cart)
            self.produced.look(cart.state_dir)
        received = self.ear.received
        self.ear.wait_until_quiet(lambda: self.produced.bodies.keys() <= received.bodies.keys())
        account = compare(self.produced, received)
        kept = self._kept()
        return Outcome(
            account=account,
            struck=dict(self.struck),
            repairable=sum(key in kept for key in account.missing),
            undelivered=left,
            fell_over=self.fell_over,
            looks=self.produced.looks,
        )

    def _drain(self, cart: Cart) -> int:
        deadline = time.monotonic() + DRAIN_S
        while True:
            if not cart.running:
                cart.start()
                cart.wait_for_work()
            self.ear.wait_for(lambda: (cart.pending() or 0) < 20, max(1.0, deadline - time.monotonic()))
            cart.stop()
            left = cart.pending() or 0
            if left == 0 or time.monotonic() > deadline:
                return left

    def _kept(self) -> set[tuple[str, str, int]]:
        """Keys of all rows that are still on the disk."""
        now = Produced()
        with contextlib.suppress(OSError):
            for cart in (self.cart, *self.twins):
                now.look(cart.state_dir)
        return set(now.bodies)
