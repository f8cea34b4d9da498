"""The publisher's main loop: puts its parts together, and runs them in turns in one thread until it is stopped.

What each part does stands in its own module: `sinks`, `outbox_connection`, `outbox_housekeeping`, `sink_deliveries`,
`state_and_health`, `request_router`, `frame_packets` and `drain`.
"""

from __future__ import annotations

import contextlib
import logging
import selectors
import sqlite3
from pathlib import Path
from typing import TYPE_CHECKING

from edge.app.envelope import EnvelopeMaker
from edge.contracts.errors import SinkError
from edge.contracts.ports import Link
from edge.daemon.publisher.commands import Commands
from edge.daemon.publisher.drain import DrainPhase
from edge.daemon.publisher.feedback_mark import may_have_feedback
from edge.daemon.publisher.frame_link_reader import FrameLinkReader
from edge.daemon.publisher.frame_packets import FramePacketHandler
from edge.daemon.publisher.machine_health import MachineHealth
from edge.daemon.publisher.outbox_connection import OutboxConnection
from edge.daemon.publisher.outbox_housekeeping import OutboxHousekeeping
from edge.daemon.publisher.request_router import RequestRouter
from edge.daemon.publisher.requests import RequestHandler
from edge.daemon.publisher.resends import ResendQueue
from edge.daemon.publisher.sink_deliveries import SinkDeliveries
from edge.daemon.publisher.sinks import close_sinks, create_sinks, open_sinks
from edge.daemon.publisher.state_and_health import StateAndHealth
from edge.outbox.identity import FOLDER_LOST
from edge.outbox.schema import FILE_NAME
from edge.process.wakeup import Wakeup

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

    from edge.contracts.ports import Sink
    from edge.daemon.job import DaemonJob
    from edge.outbox.reader import OutboxReader
    from edge.process.shared_notes import SharedNotes

# Name of the process, not of the module: who filters logs by it need not know how the process is cut into files.
log = logging.getLogger("edge.daemon.publisher")

TURN_S = 0.2
"""A turn is made at least this often: pauses of sinks end, wake-ups may have been dropped."""


class Publisher:
    """Publishes one outbox to any number of sinks, in one thread."""

    def __init__(
        self, job: DaemonJob, inbox: socket.socket, root_pid: int, viewer_notes: SharedNotes | None = None
    ) -> None:
        """Create all parts; nothing is opened but the file of missed ``health``, and the mark of feedback.

        Args:
            job: the settings, and who this device and this run are.
            inbox: the publisher's end of the socket pair to the frame process.
            root_pid: the supervisor's process id, for the memory in ``health``.
            viewer_notes: where the viewer reads why the device is not well; None: there is no viewer.

        Raises `SinkError` or `ConfigError` for sinks that cannot be as configured.
        """
        settings = job.settings
        path = Path(job.state_dir) / FILE_NAME
        self._state_dir = path.parent
        self._frame_link = FrameLinkReader(inbox)
        self.sinks: list[Sink] = create_sinks(job)
        self._durable_sinks = [sink.name for sink in self.sinks if sink.durable]
        self._links = [sink for sink in self.sinks if isinstance(sink, Link)] if settings.requests.enabled else []
        self.deliveries = SinkDeliveries(
            path, job, self.sinks, self._frame_link.send_acknowledged if job.tell_acks else None
        )
        self.outbox = OutboxConnection(path, self._durable_sinks, on_new_epoch=self.deliveries.reset)
        self._housekeeping = OutboxHousekeeping(settings.outbox, self.deliveries.deferred)
        self._drain = DrainPhase(settings.drain_timeout_s, self.outbox, self.deliveries)
        envelopes = EnvelopeMaker(job.device, job.run_id)
        self._state_and_health = StateAndHealth(
            envelopes,
            self.sinks,
            self._state_dir,
            settings.publish.health_every_s,
            root_pid,
            ["requests"] if self._links else [],
            MachineHealth(settings.thermal.hot_c),
            viewer_notes,
            may_have_feedback(self._state_dir, here=job.view),
        )
        self._resends = ResendQueue(lambda: self.outbox.reader, self.deliveries.deferred.recovery)
        commands = Commands(
            settings, self._state_and_health, lambda: self.outbox.reader, self._frame_link.send_command, self._resends
        )
        requests = RequestHandler(settings.requests, envelopes, commands.by_name())
        self._request_router = RequestRouter(self._links, requests)
        self._frame_packets = FramePacketHandler(self._state_and_health, self._request_router, self.sinks)
        self._wakeup = Wakeup()

    def stop(self) -> None:
        """Drain, publish ``offline`` and end; a second time: without draining. May be called from a signal handler."""
        self._drain.request_stop()
        self._wakeup.wake()

    def run(self, heartbeat: Callable[[], None] = lambda: None) -> None:
        """Publish until stopped; ``heartbeat`` is called at every turn.

        Raises `SinkError` if a sink cannot be opened, or if it was given less than all.
        """
        self._open()
        with selectors.DefaultSelector() as selector:
            selector.register(self._frame_link, selectors.EVENT_READ)
            selector.register(self._wakeup, selectors.EVENT_READ)
            more = False
            while True:
                selector.select(0 if more else TURN_S)
                more = self._turn()
                heartbeat()
                if self._drain.over():
                    break
        undelivered = self._drain.undelivered()
        # Before they are closed: a closed connection knows no more what its broker refused.
        problems = {problem for sink in self.sinks for problem in sink.problems()}
        self._close()
        if undelivered:
            why = sorted(problems.union(self.deliveries.problems())) or ["too slow"]
            raise SinkError(
                f"{undelivered} messages were not delivered ({', '.join(why)})",
                hint=f"they are kept in {self._state_dir} and are sent at the next start; see --drain-timeout"
                if not self.outbox.folder_lost
                else f"they are lost, unless {self._state_dir} was only moved: then put it back before the next start",
            )

    def _open(self) -> None:
        self._frame_link.discard_stale(self._state_and_health.set_report)
        if not self._durable_sinks:
            who = "not every receiver has all of them" if self.sinks else "nobody receives them"
            log.warning("findings are kept in %s, %s: there is no durable sink", self._state_dir, who)
        open_sinks(self.sinks, self._links, self._wakeup.wake)

    def _turn(self) -> bool:
        """One round over everything. True: there is more to do at once."""
        self._wakeup.clear()
        more = self._frame_link.read(self._frame_packets.handle)
        self.deliveries.note_sessions()  # before the outbox is looked for: it may be there only later
        outbox = self.outbox.reopen_if_needed()
        busy = False
        try:
            self._publish_state(outbox)
            for answer in self._resends.work():
                self._request_router.answer_command(answer)
            self._request_router.work()  # an answer to a resend goes before what is sent again
            if outbox is not None:
                more = self.deliveries.work(outbox, self._state_and_health.state_sent) or more
                busy = self._resends.mark(outbox, self.deliveries.follow_resends)
                busy = self._housekeeping.work(outbox) or busy or self._resends.counting
            self._publish_health(outbox)
            if outbox is not None and not more and self._state_and_health.state_sent_to_all():
                self.deliveries.work_deferred(outbox)
        except sqlite3.Error as error:
            self.outbox.report_failed(error)
        return more or busy

    def _publish_state(self, outbox: OutboxReader | None) -> None:
        problems = [
            *self.outbox.problems(),
            *self.deliveries.problems(),
            *self.deliveries.deferred.problems(),
        ]
        self._state_and_health.stored_topics = self.outbox.topics
        if self._state_and_health.state_due() and (outbox is not None or problems):
            self._state_and_health.publish_state(None if outbox is None else outbox.state(), problems)

    def _publish_health(self, outbox: OutboxReader | None) -> None:
        if self._state_and_health.health_due():
            deferred = self.deliveries.deferred
            self._state_and_health.missed_health = deferred.missed_health.counts
            counts = (None, None) if outbox is None else (outbox.state(), outbox.depth())
            deferred.keep_missed_health(*self._state_and_health.publish_health(*counts))
        elif self._state_and_health.health_lacking():
            counts = (None, None) if outbox is None else (outbox.state(), outbox.depth())
            self._state_and_health.publish_health_to_lacking(*counts)

    def _close(self) -> None:
        outbox = self.outbox.reader
        with contextlib.suppress(sqlite3.Error):
            why = [FOLDER_LOST] if self.outbox.folder_lost else []
            self._state_and_health.publish_offline(None if outbox is None else outbox.state(), why)
        close_sinks(self.sinks)
        if outbox is not None:
            self.deliveries.finish(outbox)
        self._resends.close()
        self.outbox.close()
        self.deliveries.deferred.close()
        self._wakeup.close()
