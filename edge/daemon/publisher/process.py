"""The publisher process: takes stored messages from the outbox to the sinks, and says who we are and how we are.

Everything that waits for a network waits here. It never imports numpy or cv2, so it is small and starts quickly. Run as
``python -m edge.daemon.publisher.process`` by the supervisor only. When the supervisor is gone it ends at once and without a
goodbye: the broker then says the will, which is the truth.
"""

from __future__ import annotations

import contextlib
import logging
import os
import selectors
import signal
import socket
import sqlite3
import sys
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from edge.app.envelope import EnvelopeMaker
from edge.app.logs import set_up_logs
from edge.contracts.decoding import decode_json
from edge.contracts.errors import ConfigError, EdgeError, SinkError
from edge.contracts.frame_command import FrameCommandResult
from edge.contracts.frame_report import FrameReport
from edge.contracts.ports import Link, Outgoing, SinkIdentity
from edge.contracts.state import Will
from edge.contracts.topics import REQUEST, Topics
from edge.daemon.job import DaemonJob
from edge.daemon.publisher.commands import Commands
from edge.daemon.publisher.deferred_delivery import DeferredDelivery
from edge.daemon.publisher.delivery import Delivery
from edge.daemon.publisher.frame_link_reader import FrameLinkReader
from edge.daemon.publisher.machine_health import MachineHealth
from edge.daemon.publisher.request_router import RequestRouter
from edge.daemon.publisher.requests import RequestHandler
from edge.daemon.publisher.shared_sink import SharedSink
from edge.daemon.publisher.state_and_health import StateAndHealth
from edge.outbox.reader import OutboxReader
from edge.outbox.schema import FILE_NAME, is_damage, mark_damaged
from edge.plugins import make_sink
from edge.process.child import inherit
from edge.process.cores import keep_to
from edge.process.heartbeat import beat
from edge.process.wakeup import Wakeup

if TYPE_CHECKING:
    from collections.abc import Callable

    from edge.app.frame_link import UnstoredMessage
    from edge.contracts.ports import Sink

log = logging.getLogger("edge.daemon.publisher.process")  # run as __main__

TURN_S = 0.2
"""A turn is made at least this often: pauses of sinks end, wake-ups may have been dropped."""
HOUSEKEEPING_S = 10.0
OUTBOX_PATIENCE_S = 5.0
"""So long without an outbox is a reason to be degraded: the frame process makes it when it starts."""
GOODBYE_S = 1.0
"""For all sinks together, to take the goodbye."""


class Publisher:
    """One outbox, any number of sinks, one thread."""

    def __init__(self, job: DaemonJob, inbox: socket.socket, root_pid: int) -> None:
        """``inbox`` is the publisher's end of the hand-over's pair.

        Raises `SinkError` or `ConfigError` for sinks that cannot be as configured.
        """
        settings = job.settings
        self._settings = settings
        self._path = Path(job.state_dir) / FILE_NAME
        self._frame = FrameLinkReader(inbox)
        will = msgspec.json.encode(Will(device=job.device, run_id=job.run_id))
        identity = SinkIdentity(Topics(settings.site, job.device), job.run_id, will)
        self.sinks: list[Sink] = [make_sink(one, identity) for one in settings.sinks]
        names = [sink.name for sink in self.sinks]
        for name in names:
            if names.count(name) > 1:
                raise ConfigError(f"two sinks are {name}", hint="each receiver is configured once")
        self._durable_sinks = [sink.name for sink in self.sinks if sink.durable]
        shared = [SharedSink(sink) for sink in self.sinks]
        on_acked = self._frame.tell_acknowledged if job.tell_acks else None
        self._deliveries = [Delivery(one.part(), self._durable_sinks, on_acked) for one in shared]
        self._deferred = DeferredDelivery(self._path, job.device, settings, shared)
        self._links = [sink for sink in self.sinks if isinstance(sink, Link)] if settings.requests.enabled else []
        envelopes = EnvelopeMaker(job.device, job.run_id)
        self._state_and_health = StateAndHealth(
            envelopes,
            self.sinks,
            self._path.parent,
            settings.publish.health_every_s,
            root_pid,
            ["requests"] if self._links else [],
            MachineHealth(settings.thermal.hot_c),
        )
        self._outbox: OutboxReader | None = None
        resend = self._deferred.recovery.resend
        commands = Commands(settings, self._state_and_health, lambda: self._outbox, self._frame.give, resend)
        self._request_router = RequestRouter(
            self._links, RequestHandler(settings.requests, envelopes, commands.by_name())
        )
        self._outbox_missing_since = time.monotonic()
        self._housekeeping_at = 0.0
        self._stops = 0
        self._wakeup = Wakeup()

    def stop(self) -> None:
        """Drain, say goodbye and end; a second time: without draining. May be called from a signal handler."""
        self._stops += 1
        self._wakeup.wake()

    def run(self, alive: Callable[[], None] = lambda: None) -> None:
        """Publish until stopped; ``alive`` is called at every turn.

        Raises `SinkError` if a sink cannot be opened, or if it was given less than all.
        """
        self._frame.drop_stale(self._state_and_health.take)
        if not self._durable_sinks:
            who = "not every receiver has all of them" if self.sinks else "nobody receives them"
            log.warning("findings are kept in %s, %s: there is no durable sink", self._path.parent, who)
        for link in self._links:
            link.listen(REQUEST)
        for sink in self.sinks:
            sink.wake_on(self._wakeup.wake)
            sink.open()
        with selectors.DefaultSelector() as selector:
            selector.register(self._frame, selectors.EVENT_READ)
            selector.register(self._wakeup, selectors.EVENT_READ)
            more, deadline = False, 0.0
            while True:
                selector.select(0 if more else TURN_S)
                more = self._turn()
                alive()
                if self._stops:
                    deadline = deadline or time.monotonic() + self._settings.drain_timeout_s
                    if self._stops > 1 or time.monotonic() >= deadline or self._drained():
                        break
        left = self._undelivered()
        self._end()
        if left:
            why = sorted({problem for sink in self.sinks for problem in sink.problems()}) or ["too slow"]
            raise SinkError(
                f"{left} messages were not delivered ({', '.join(why)})",
                hint=f"they are kept in {self._path.parent} and are sent at the next start; see --drain-timeout",
            )

    def _turn(self) -> bool:
        """One round over everything. True: there is more to do at once."""
        self._wakeup.clear()
        more = self._frame.read(self._take)
        outbox, state_and_health = self._open_outbox(), self._state_and_health
        try:
            ailments = self._ailments()
            if state_and_health.state_due() and (outbox is not None or ailments):
                state_and_health.tell_state(None if outbox is None else outbox.state(), ailments)
            self._request_router.work()
            if outbox is not None:
                for delivery in self._deliveries:
                    # Before any finding: consumers learn who speaks, and of which epoch.
                    if state_and_health.introduced(delivery.sink) or not delivery.sink.session:
                        more = delivery.work(outbox) or more
                self._keep_house(outbox)
            if state_and_health.health_due():
                self._tell_health(outbox)
            ready = all(state_and_health.introduced(sink) or not sink.session for sink in self.sinks)
            if outbox is not None and not more and ready:
                self._deferred.work(outbox, self._deliveries)
        except sqlite3.Error as error:
            log.error("the outbox cannot be read (%s); opening it anew", error)
            self._condemn(error)
            self._close_outbox()
        return more

    def _tell_health(self, outbox: OutboxReader | None) -> None:
        self._state_and_health.telemetry = self._deferred.telemetry.facts
        facts = (None, None) if outbox is None else (outbox.state(), outbox.depth())
        self._deferred.keep(*self._state_and_health.tell_health(*facts))

    def _take(self, said: FrameReport | FrameCommandResult | UnstoredMessage) -> None:
        """What the frame process said."""
        if isinstance(said, FrameReport):
            self._state_and_health.take(said)
        elif isinstance(said, FrameCommandResult):
            self._request_router.settle(said)
        else:
            for sink in self.sinks:
                if sink.session:
                    sink.send(Outgoing(said.suffix, said.body, None, qos=0))

    def _open_outbox(self) -> OutboxReader | None:
        if self._outbox is not None and self._outbox.replaced():
            log.warning("the outbox was replaced; reading the new one")
            self._close_outbox()
        if self._outbox is None:
            try:
                self._outbox = OutboxReader(self._path)
                if self._durable_sinks:  # without one, nothing is delivered: it waits for one, or for the size budget
                    self._outbox.settle(self._durable_sinks)
            except (sqlite3.Error, OSError) as error:
                log.debug("no outbox yet: %s", error)
                self._condemn(error)
                self._close_outbox()
        return self._outbox

    def _condemn(self, error: sqlite3.Error | OSError) -> None:
        """Damage that only we came upon: the frame process must hear of it, it begins the next outbox."""
        if self._outbox is not None and isinstance(error, sqlite3.Error) and is_damage(error):
            mark_damaged(self._outbox.path)

    def _close_outbox(self) -> None:
        if self._outbox is not None:
            self._outbox.close()
            self._outbox = None
            self._outbox_missing_since = time.monotonic()
        for delivery in self._deliveries:
            delivery.forget()

    def _ailments(self) -> list[str]:
        missing = self._outbox is None and time.monotonic() - self._outbox_missing_since > OUTBOX_PATIENCE_S
        changed = self._outbox is not None and self._outbox.damaged > 0
        lost = bool(self._deferred.recovery.unreadable)
        return ["outbox_unreadable"] * missing + ["messages_damaged"] * changed + ["backlog_unreadable"] * lost

    def _keep_house(self, outbox: OutboxReader) -> None:
        if time.monotonic() < self._housekeeping_at:
            return
        self._housekeeping_at = time.monotonic() + HOUSEKEEPING_S
        budget = self._settings.outbox
        self._deferred.tidy(outbox)
        outbox.forget_deleted()  # of the last time: the frame process may have been at work
        lost = outbox.expire(budget.keep_s, budget.max_mb * 1e6, budget.unsent_keep_s)
        if lost:
            log.error("%d messages were given up that not every receiver had: too old, or too many", lost)

    def _drained(self) -> bool:
        if self._outbox is None:
            return not self._path.exists()
        try:
            for delivery in self._deliveries:
                delivery.record(self._outbox)
            return not self._deferred.recovery.busy and all(
                delivery.idle(self._outbox) for delivery in self._deliveries
            )
        except sqlite3.Error:
            return False

    def _undelivered(self) -> int:
        with contextlib.suppress(sqlite3.Error):
            if self._outbox is not None and not self._drained():
                return self._outbox.depth().pending
        return 0

    def _end(self) -> None:
        with contextlib.suppress(sqlite3.Error):
            self._state_and_health.say_goodbye(None if self._outbox is None else self._outbox.state())
        deadline = time.monotonic() + GOODBYE_S
        for sink in self.sinks:
            sink.close(max(0.1, deadline - time.monotonic()))
        if self._outbox is not None:
            with contextlib.suppress(sqlite3.Error):
                for delivery in self._deliveries:
                    delivery.work(self._outbox)  # what arrived last
                    delivery.record(self._outbox)
                self._deferred.recovery.work()
            self._outbox.close()
        self._deferred.close()
        self._wakeup.close()


def run_publisher(job: DaemonJob, inbox: socket.socket, root_pid: int, alive: Callable[[], None]) -> int:
    """Publish until SIGTERM; the exit code. Errors are two lines on stderr."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the supervisor decides
    try:
        publisher = Publisher(job, inbox, root_pid)
        signal.signal(signal.SIGTERM, lambda *_: publisher.stop())
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})  # the supervisor may have asked already
        publisher.run(alive)
    except EdgeError as error:
        print(f"error: {error.message}\nhint: {error.hint}", file=sys.stderr)
        return error.exit_code
    return 0


def main() -> int:
    """Take what the supervisor handed over, and publish."""
    inheritance = inherit()
    job = decode_json(inheritance.payload, DaemonJob)
    set_up_logs(job.settings.log)
    keep_to(job.affinity.publisher)
    inbox, *heart = inheritance.fds
    alive = partial(beat, heart[0]) if heart else lambda: None
    return run_publisher(job, socket.socket(fileno=inbox), os.getppid(), alive)


if __name__ == "__main__":
    sys.exit(main())
