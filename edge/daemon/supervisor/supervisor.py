"""The supervisor: starts frame process and publisher, restarts what ended or hangs; signals: stop in order, reload.

It does no work of its own and imports nothing heavy, so that it is there when something else is not. It notifies
systemd's watchdog only while both children send their heartbeat.
"""

from __future__ import annotations

import logging
import signal
import socket
import threading
import time
from typing import TYPE_CHECKING

import msgspec

from edge.contracts.errors import DeviceError, EdgeError, SinkError, SourceError
from edge.daemon.job import NOT_ALL_JUDGED
from edge.daemon.supervisor import systemd_notify
from edge.daemon.supervisor.child_supervisor import FATAL_EXIT_CODES, KILL_WAIT_S, ChildSupervisor, describe_exit
from edge.daemon.supervisor.reload import reloaded_job
from edge.daemon.supervisor.viewer import Viewer
from edge.process.reaper import reaper
from edge.process.shared_notes import SharedNotes
from edge.process.start_gate import StartGate

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

    from edge.daemon.job import DaemonJob

# Name of the process, not of the module: who filters logs by it need not know how the process is cut into files.
log = logging.getLogger("edge.daemon.supervisor")

FRAME, PUBLISHER = "edge.daemon.frame.process", "edge.daemon.publisher.process"
STOP_LIMIT_S = 1.7
"""From SIGTERM to the end, whatever the network does: who pulls a plug next does not wait for a broker."""
FRAME_STOP_LIMIT_S = 1.2
"""Part of `STOP_LIMIT_S` for the frame process, to bring what it has to the disk."""
PUBLISHER_DRAIN_LIMIT_S = 0.4
"""Part of `STOP_LIMIT_S` for receivers to take what is left; less where the frame process took longer than its own."""
OFFLINE_LIMIT_S = 0.1
"""Last part of `STOP_LIMIT_S`: there is time to publish ``offline`` only."""
DRAIN_SLACK_S = 2.0
"""Beyond its own time limits, how long a child may take to go before it is killed."""
RESTART_LIMIT = 10
"""Failures in a row of one child until we give up, where a service manager is there to restart all of it."""
CHECK_EVERY_S = 0.1
GATE_CHECK_EVERY_S = 0.01
"""Until sources and model are checked: the first findings wait for it."""
CHECK_STATE_DIR_EVERY_S = 1.0
SUSPENDED_S = 1.0
"""A turn that took so long: we were suspended, or starved, and perhaps the children were too."""


class Supervisor:
    """Supervises the frame process and the publisher, and holds the sockets between them."""

    def __init__(
        self,
        job: DaemonJob,
        reload: Callable[[], DaemonJob] | None = None,
        check_state_dir: Callable[[], None] = lambda: None,
        on_begin: Callable[[], None] = lambda: None,
    ) -> None:
        """Start both children; neither writes nor sends anything before sources and model were checked.

        ``reload`` returns the job as the configuration now is, or raises `EdgeError`; ``check_state_dir`` raises
        `DeviceError` if the state directory is not ours any more; ``on_begin`` is called after those checks.
        """
        viewer = Viewer(job)  # first: an address that cannot be had is said before anything is started
        self._job, self._reload, self._on_begin = job, reload, on_begin
        self._check_state_dir, self._state_dir_checked_at = check_state_dir, time.monotonic()
        self._previous: DaemonJob | None = None
        """The job before a reload, until both children have sent a heartbeat with the new one."""
        self._sockets = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        to_publisher, from_frame = self._sockets
        self._notes = SharedNotes()
        """What one frame process writes down for the next: which runtimes failed."""
        self._gate = StartGate(2)
        self._viewer = viewer
        payload, watchdog_s = msgspec.json.encode(job), job.settings.watchdog_s
        fds = (*self._gate.fds, *viewer.publisher_fds)
        self._publisher = ChildSupervisor(PUBLISHER, payload, from_frame.fileno(), watchdog_s, more_fds=fds)
        fds = (self._notes.fd, *self._gate.fds, *viewer.frame_fds)
        self._frame = ChildSupervisor(FRAME, payload, to_publisher.fileno(), watchdog_s, more_fds=fds)
        reaper.on_change = self._tell_left_behind
        self._heartbeat_seen = {self._publisher: False, self._frame: False}
        self._ready = False
        self._checked_at = time.monotonic()

    def check_children(self) -> int | None:
        """Check both children and restart them if need be. The exit code when the run is over, else None.

        Raises `DeviceError` if the state directory was taken away; both are stopped then.
        """
        now = time.monotonic()
        if now - self._state_dir_checked_at >= CHECK_STATE_DIR_EVERY_S:
            self._state_dir_checked_at = now
            self._stop_without_state_dir()
        if now - self._checked_at > SUSPENDED_S:
            self._publisher.reset_watchdog()
            self._frame.reset_watchdog()
            self._viewer.reset_watchdog()
        self._checked_at = now
        self._open_gate_if_due()
        self._forward_heartbeats()
        self._viewer.check()
        code = self._publisher.check() or None  # its clean end is never by itself
        code = self._frame.check() if code is None else code
        if code in FATAL_EXIT_CODES and self._previous is not None:
            log.error("the new configuration does not run (exit code %s); back to the one before", code)
            self._restart_with(self._previous)
            self._previous = None
            return None
        failures = max(self._publisher.failures, self._frame.failures)
        if systemd_notify.has_service_manager() and failures >= RESTART_LIMIT:
            log.error(
                "a process failed %d times in a row: giving up, the service manager may start anew", RESTART_LIMIT
            )
            return 1
        return code

    @property
    def begun(self) -> bool:
        """Whether children may have written or sent anything: sources and model were checked, or took too long."""
        return self._gate.is_open

    def _open_gate_if_due(self) -> None:
        """Let the children begin when both have checked, when one crashed, or when they take too long."""
        if not self.begun and (self._gate.due() or self._frame.failures or self._publisher.failures):
            self._on_begin()
            self._gate.open()
            self._viewer.start()

    def reload(self) -> None:
        """Reload the configuration (SIGHUP) and restart the children with it; log why where it cannot be."""
        systemd_notify.notify(systemd_notify.RELOADING, f"MONOTONIC_USEC={time.monotonic_ns() // 1000}")
        try:
            job = reloaded_job(self._reload, self._job)
        except EdgeError as error:
            log.error("the configuration is not reloaded: %s (%s)", error.message, error.hint)
        else:
            if job == self._job:
                log.info("the configuration is reloaded; nothing has changed")
            else:
                log.info("the configuration is reloaded; frame process and publisher start with it")
                self._previous = self._job
                self._restart_with(job)
        systemd_notify.notify(systemd_notify.READY)

    def stop_quickly(self) -> None:
        """Stop both children within `STOP_LIMIT_S`: all to the disk, then what time there is for the receivers."""
        deadline = time.monotonic() + STOP_LIMIT_S
        self._viewer.terminate()
        self._frame.stop(FRAME_STOP_LIMIT_S)  # first: what it still has goes to the outbox
        self._publisher.terminate()
        # Whoever cannot be killed (state D) is waited for a moment longer, see `KILL_WAIT_S`: that counts as well.
        left_s = deadline - KILL_WAIT_S - OFFLINE_LIMIT_S - time.monotonic()
        self._publisher.wait(max(0.0, min(PUBLISHER_DRAIN_LIMIT_S, self._job.settings.drain_timeout_s, left_s)))
        self._publisher.stop(max(OFFLINE_LIMIT_S, deadline - KILL_WAIT_S - time.monotonic()))

    def drain_and_stop(self) -> int:
        """Stop after the sources have ended: receivers have the drain time. The publisher's exit code.

        Raises `SinkError` if the publisher did not live to deliver what the sources gave.
        """
        self._frame.stop(FRAME_STOP_LIMIT_S)
        code = self._publisher.check_and_start()  # who else would deliver what the sources gave last
        if code is None:
            code = self._publisher.stop(self._job.settings.drain_timeout_s + DRAIN_SLACK_S)
        if code is not None and (code == 0 or code in FATAL_EXIT_CODES):
            return code  # and the publisher has said why
        how = "did not end in time" if code is None else describe_exit(code)
        raise SinkError(
            f"not everything was delivered: the publisher {how}",
            hint=f"what is left is kept in {self._job.state_dir} and is sent at the next start",
        )

    def end(self, code: int | None, *, asked: bool) -> int | None:
        """End the run: exit code, from that of the child that ended. ``asked``: by a signal. Raises as `supervise`."""
        log.log(logging.INFO if self.begun else logging.DEBUG, "stopping")
        systemd_notify.notify(systemd_notify.STOPPING)
        if asked or (code and code != NOT_ALL_JUDGED):
            if self.begun:  # else what still runs has nothing to bring in order, and is killed
                self.stop_quickly()
            return code
        # Who waits for a file to be through wants to know that a receiver is away.
        delivered = self.drain_and_stop()
        if code == NOT_ALL_JUDGED and not delivered:
            raise SourceError("not everything was judged", hint="the log says what got no result, and why")
        return delivered

    def _stop_without_state_dir(self) -> None:
        """Stop if the state directory is not ours any more; receivers are given the drain time before it is raised on.

        What the publisher still has open of the outbox is nowhere else, perhaps.
        """
        try:
            self._check_state_dir()
        except DeviceError as error:
            log.error("%s: stopping", error.message)
            systemd_notify.notify(systemd_notify.STOPPING)
            self._frame.stop(FRAME_STOP_LIMIT_S)
            self._publisher.stop(self._job.settings.drain_timeout_s + DRAIN_SLACK_S)
            raise

    def close(self) -> None:
        """Kill what still runs, and close the sockets; after a stop."""
        self._viewer.close()
        for child_supervisor in (self._frame, self._publisher):
            child_supervisor.stop(0.0)
            child_supervisor.close()
        for end in self._sockets:
            end.close()
        reaper.on_change = None
        self._notes.close()
        self._gate.close()

    def _tell_left_behind(self) -> None:
        """Tell the next frame process what could not be killed: it reports the daemon as degraded."""
        job = msgspec.structs.replace(self._job, left_behind=tuple(reaper.left_behind()))
        self._frame.payload = msgspec.json.encode(job)

    def _forward_heartbeats(self) -> None:
        """Notify systemd when both children have sent a heartbeat since the last notification, and not before."""
        for child_supervisor in self._heartbeat_seen:
            self._heartbeat_seen[child_supervisor] = (
                child_supervisor.poll_heartbeat() or self._heartbeat_seen[child_supervisor]
            )
        if not all(self._heartbeat_seen.values()):
            return
        self._heartbeat_seen = dict.fromkeys(self._heartbeat_seen, False)
        if not self._ready:
            self._ready = True
            systemd_notify.notify(systemd_notify.READY)
            log.debug("ready")
        systemd_notify.notify(systemd_notify.ALIVE)
        self._previous = None

    def _restart_with(self, job: DaemonJob) -> None:
        self._job = job
        self.stop_quickly()
        self._viewer.restart_with(job)
        self._publisher.more_fds = (*self._gate.fds, *self._viewer.publisher_fds)
        self._frame.more_fds = (self._notes.fd, *self._gate.fds, *self._viewer.frame_fds)
        for child_supervisor in (self._publisher, self._frame):
            child_supervisor.payload, child_supervisor.watchdog_s = msgspec.json.encode(job), job.settings.watchdog_s
            child_supervisor.failures, child_supervisor.proven = 0, False
        self._tell_left_behind()
        for child_supervisor in (self._publisher, self._frame):
            child_supervisor.start()
        self._heartbeat_seen = dict.fromkeys(self._heartbeat_seen, False)


def supervise(
    job: DaemonJob,
    reload: Callable[[], DaemonJob] | None = None,
    check_state_dir: Callable[[], None] = lambda: None,
    on_begin: Callable[[], None] = lambda: None,
) -> int:
    """Run the daemon until SIGTERM or SIGINT, or until all sources have ended; return the exit code.

    At SIGHUP, ``reload`` is called for the job as the configuration now is; the children are restarted with it.
    ``check_state_dir`` is called every second, and raises `DeviceError` if the state directory is not ours any more.
    ``on_begin`` is called when sources and model were checked; a start that is refused before leaves nothing behind.

    Raises:
        DeviceError: the state directory was taken away; what could still be delivered was.
        SinkError: the sources have ended and the publisher did not live to deliver what they gave.
        SourceError: they have ended, but a part of what they hold got no result.
    """
    stop, again, wake = threading.Event(), threading.Event(), threading.Event()

    def on_signal(number: int, frame: FrameType | None) -> None:
        (again if number == signal.SIGHUP else stop).set()
        wake.set()

    numbers = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
    handlers = {number: signal.signal(number, on_signal) for number in numbers}
    supervisor = Supervisor(job, reload, check_state_dir, on_begin)
    code: int | None = None
    try:
        while code is None and not stop.is_set():
            wake.wait(CHECK_EVERY_S if supervisor.begun else GATE_CHECK_EVERY_S)
            wake.clear()
            if stop.is_set():
                break
            if again.is_set():
                again.clear()
                supervisor.reload()
            code = supervisor.check_children()
        code = supervisor.end(code, asked=stop.is_set())
    finally:
        supervisor.close()
        for number, handler in handlers.items():
            signal.signal(number, handler)
    return code or 0
