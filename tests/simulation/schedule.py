"""Schedules: what happens to one simulated device, and when; a seed gives one, and each can be written down."""

from __future__ import annotations

import random
from typing import Literal, NamedTuple, get_args

Kind = Literal[
    "put",  # so many messages are found
    "drop",  # the connection is lost, and the broker is there
    "outage",  # the broker is away for a while
    "half_open",  # the broker hears nothing any more, and the device notices late
    "stall",  # the broker answers late
    "refuse",  # the broker's access list refuses findings for a while
    "full",  # the disk is full for a while
    "fail",  # the disk fails now and then
    "damage",  # SQLite says once that the file is damaged
    "kill_publisher", "kill_frames",  # at the so-manieth crash point from now on
    "power_cut",  # the same for the whole machine
    "ask",  # a consumer asks for messages again
    "wait",
]  # fmt: skip
KINDS: tuple[Kind, ...] = get_args(Kind)
WEIGHTS = {
    "put": 30, "drop": 6, "outage": 5, "kill_publisher": 5, "kill_frames": 3, "power_cut": 3, "ask": 5, "full": 4,
}  # fmt: skip
"""How often a kind is chosen from a seed, where not twice."""


class Setup(NamedTuple):
    """Properties of one device and its surroundings, for a whole schedule."""

    noise: int = 0
    """Seed of all that is left to chance below the steps: interleaving, jitter, what a power cut leaves."""
    brokers: int = 1
    latency_s: float = 0.005
    slowness: float = 1.0
    sync_s: float = 0.004
    inflight: int = 20
    health_every_s: float = 2.0
    idle_s: float = 0.2
    """So long the publisher sleeps when nothing wakes it: 0.2 s, or longer on a busy machine."""
    nest_share: float = 0.02
    """Share of the crash points at which another thread or process goes on in between."""
    lock_share: float = 0.02
    """Share of transactions that have to wait for the other process."""
    frames_late_s: float = 0.0
    """So much later than the publisher the frame process starts, for the first time."""
    backlog: int = 0
    """Messages in the outbox that were sent before the schedule began."""
    max_mb: float = 512.0
    """Size budget of the outbox."""


class Step(NamedTuple):
    """One thing that happens, ``after_s`` seconds after the one before; what ``amount`` means depends on its kind."""

    kind: Kind
    after_s: float
    amount: int


class Schedule(NamedTuple):
    """A whole schedule: `simulation.simulation.simulate` takes one."""

    setup: Setup
    steps: tuple[Step, ...]


DELAYS = (0.0, 0.001, 0.01, 0.05, 0.2, 0.5, 1.0, 3.0)
AMOUNTS = (1, 2, 3, 5, 8, 13, 21, 40)
LATENCIES, SLOWNESS, SYNCS = (0.0005, 0.005, 0.05, 0.2), (0.5, 1.0, 2.0), (0.001, 0.004, 0.015)
INFLIGHT, HEALTH, IDLE = (1, 3, 20), (0.7, 2.0, 5.0), (0.2, 0.5, 0.5, 1.0, 1.0)
NESTED, LOCKED, LATE = (0.0, 0.02, 0.1), (0.0, 0.02, 0.1), (0.0, 0.0, 0.3, 2.0)
BACKLOG = 6000
"""Messages of a large outbox: marked all at once, they would stop the publisher for longer than a pass may take."""
AMONG_LARGE: tuple[Kind, ...] = ("put", "put", "ask", "drop", "kill_publisher", "kill_frames", "power_cut")
"""What happens to a large outbox."""
LARGE = {"backlog": BACKLOG, "slowness": 3.0, "latency_s": 0.005, "inflight": 20}
"""Properties of a device with a large outbox: a slow one, which can send all of it in time."""
LARGE_SHARE, TIGHT_SHARE = 0.005, 0.08
"""Share of schedules with a large outbox, and with one whose budget is too small."""


def from_seed(seed: int) -> Schedule:
    """The schedule of a seed, always the same."""
    rng = random.Random(seed)
    large = rng.random() < LARGE_SHARE
    setup = Setup(
        noise=rng.getrandbits(32), brokers=1 if rng.random() < 0.85 else 2, latency_s=rng.choice(LATENCIES),
        slowness=rng.choice(SLOWNESS), sync_s=rng.choice(SYNCS), inflight=rng.choice(INFLIGHT),
        health_every_s=rng.choice(HEALTH), idle_s=rng.choice(IDLE), nest_share=rng.choice(NESTED),
        lock_share=rng.choice(LOCKED), frames_late_s=rng.choice(LATE),
        max_mb=0.15 if not large and rng.random() < TIGHT_SHARE else 512.0,
    )  # fmt: skip
    if large:
        setup = setup._replace(**LARGE)
        kinds = [*rng.choices(AMONG_LARGE, k=rng.randint(0, 3)), "ask", rng.choice(AMONG_LARGE)]
        return Schedule(setup, tuple(Step(kind, rng.choice(DELAYS[-3:]), rng.choice(AMOUNTS)) for kind in kinds))
    kinds = rng.choices(KINDS, [WEIGHTS.get(kind, 2) for kind in KINDS], k=rng.randint(3, 11))
    return Schedule(setup, tuple(Step(kind, rng.choice(DELAYS), rng.choice(AMOUNTS)) for kind in kinds))
