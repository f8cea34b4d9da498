"""What has to hold when all faults are over and everything is drained."""

from __future__ import annotations

from typing import TYPE_CHECKING

from simulation.outbox_files import PENDING, read_outboxes

if TYPE_CHECKING:
    from simulation.simulated_broker import SimulatedBroker
    from simulation.world import World

Expired = dict[str, list[tuple[int, int]]]
SLOW_LINK_S = 0.2
"""On so slow a link a `state` may overtake three `health`, whose lower claims the ledger believes then for a while."""
DRAIN_IDLE_S = 2.5
"""So long the publisher sleeps while it waits for pauses to end: shorter would show no more."""


def end_faults(world: World) -> None:
    """End all faults; what was killed comes back by itself."""
    world.disk.full = world.disk.failing = False
    world.disk.damage_in = 0
    world.crash_in.clear()
    world.idle_s = max(world.idle_s, DRAIN_IDLE_S)
    for broker in world.brokers.values():
        broker.up, broker.refusing, broker.stalled_until = True, False, 0.0
    world.log("STEP", "all faults are over")


def is_drained(world: World) -> bool:
    """Whether nothing is left to be done."""
    world.observing = True
    try:
        return not what_is_left(world)
    finally:
        world.observing = False


def what_is_left(world: World) -> str:
    """What is still to be done, in words; empty: nothing."""
    publisher = world.publisher.publisher
    if publisher is None or world.frames.link is None:
        return "a process is not there"
    writer = world.frames.link._writer
    if writer._current is not None or not writer._queue.empty():
        return "messages wait for the disk"
    if publisher.outbox.reader is None:
        return "the publisher has no outbox open"
    if publisher.outbox.reader.resend_progress().jobs:
        return "a resend is not carried out"
    for delivery in publisher.deliveries._deliveries:
        if not delivery.idle(publisher.outbox.reader):
            return f"{delivery.sink.name} has messages under way"
    if publisher.deliveries.deferred.missed_health.counts.waiting:
        return "health that was missed waits"
    for broker in world.brokers.values():
        lost = [key for key in world.account.committed if key not in broker.received]
        if lost:
            expired = _expired(world)
            lost = [key for key in lost if not _within(key, expired)]
        if lost:
            return f"{broker.host} has not received {len(lost)} messages, the first of them {lost[0]}"
    return ""


def check(world: World) -> None:
    """Check all that can be checked at the end."""
    expired = _expired(world)
    account = world.account
    for mark, count in account.marks.items():
        if count != 1:
            world.violated("number", f"message {mark} was stored {count} times")
    unstored = account.put.keys() - account.marks.keys() - account.doomed
    if unstored:
        world.violated("lost", f"{len(unstored)} messages were handed over and never stored, as {min(unstored)}")
    pending = _pending(world)
    for broker in world.brokers.values():
        for key in account.committed:
            if key not in broker.received and not _within(key, expired) and key not in pending:
                world.violated("lost", f"{key} was committed, and is neither received nor expired nor pending")
        _check_repeats(world, broker)
        _check_ledger(world, broker, expired)


def _check_repeats(world: World, broker: SimulatedBroker) -> None:
    repeats = sum(count - 1 for count in broker.received.values())
    allowed = world.account.pending_at_starts
    asked = sum(world.account.asked(key, f"mqtt://{broker.host}:1883") for key in broker.received)
    if repeats > allowed + asked:
        world.violated("repeats", f"{repeats} in all, of at most {allowed} and {asked} that were asked for")


def _check_ledger(world: World, broker: SimulatedBroker, expired: Expired) -> None:
    ledger, account = broker.ledger, world.account
    for where, counts in ledger.rejected().items():
        if counts.unreadable or counts.foreign:
            world.violated("foreign", f"the ledger rejected {counts} of {where}")
    for one in ledger.devices().values():
        if one.violations and not broker.has_refused:  # what is refused comes again behind the others
            world.violated("order", f"{one.violations} messages came after a later one of their lane")
        if one.conflicting:
            world.violated("body", f"{one.conflicting} messages with the number of another one")
        if one.implausible and world.setup.latency_s < SLOW_LINK_S:
            world.violated("ledger", f"{one.implausible} messages or claims were not believed")
        missing = {(epoch, n) for epoch, found in one.missing().items() for a, b in found for n in range(a, b + 1)}
        true = {
            key for key in account.committed
            if key not in broker.received and not _within(key, expired) and key[1] < one.next_seq(key[0])
        }  # fmt: skip
        if missing != true and not world.setup.backlog:
            world.violated("ledger", f"{sorted(missing ^ true)[:5]} missing or not, and the ledger says otherwise")


def _within(key: tuple[str, int], ranges: Expired) -> bool:
    return any(first <= key[1] <= last for first, last in ranges.get(key[0], ()))


def _expired(world: World) -> Expired:
    """Epoch -> ranges that were given up, as the files say."""
    found: Expired = {}
    for epoch, ranges in read_outboxes(world.folder, "SELECT first, last FROM expired ORDER BY first"):
        found.setdefault(epoch, []).extend((int(first), int(last)) for first, last in ranges)
    return found


def _pending(world: World) -> set[tuple[str, int]]:
    return {(epoch, int(seq)) for epoch, rows in read_outboxes(world.folder, PENDING) for (seq,) in rows}
