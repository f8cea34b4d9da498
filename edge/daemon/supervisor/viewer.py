"""Viewer of the daemon, as the supervisor sees it: its listening socket, its channel, and its process.

The socket is made here and outlives the process: browsers that connect while it is started again wait a moment. What
goes wrong with the viewer never ends the daemon.
"""

from __future__ import annotations

import contextlib
import logging
import socket
from typing import TYPE_CHECKING

import msgspec

from edge.config.settings import RuntimeSettings, Settings
from edge.config.uri import parse_uri
from edge.contracts.errors import ConfigError
from edge.daemon.supervisor.child_supervisor import ChildSupervisor
from edge.tap.channel import ViewerChannel
from edge.tap.viewer_job import ViewerJob

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edge.config.view_settings import ViewSettings
    from edge.daemon.job import DaemonJob

log = logging.getLogger("edge.daemon.supervisor")

VIEWER = "edge.viewer.process"


class Viewer:
    """Viewer of one daemon; without ``view.enabled`` it does nothing."""

    def __init__(self, job: DaemonJob) -> None:
        """Take the address, and make the channel. The process is started by `start`.

        Raises `ConfigError` if the address cannot be had.
        """
        self._child: ChildSupervisor | None = None
        self._listener: socket.socket | None = None
        self._channel: ViewerChannel | None = None
        self._set(job)

    def _set(self, job: DaemonJob) -> None:
        self._job, view = job, job.settings.view
        if view.enabled:
            self._listener = listen(view)
            self._channel = ViewerChannel(len(job.settings.streams))

    @property
    def frame_fds(self) -> Sequence[int]:
        """Descriptors for the frame process."""
        return () if self._channel is None else self._channel.frame_fds()

    @property
    def publisher_fds(self) -> Sequence[int]:
        """Descriptors for the publisher."""
        return () if self._channel is None else (self._channel.notes_fd,)

    def start(self) -> None:
        """Start the process, and log where the page is."""
        if self._listener is None or self._channel is None or self._child is not None:
            return
        settings = self._job.settings
        job = ViewerJob(
            site=settings.site,
            device=self._job.device,
            streams=[stream.name for stream in settings.streams],
            view=settings.view,
            log=settings.log,
            model=model_settings(settings),
            has_sinks=bool(settings.sinks),
        )
        self._child = ChildSupervisor(
            VIEWER,
            msgspec.json.encode(job),
            self._listener.fileno(),
            settings.watchdog_s,
            more_fds=self._channel.viewer_fds(),
            always_again=True,
        )
        log.info("the page is at %s", address(settings.view, self._listener))

    def check(self) -> None:
        """Start the process again if it has ended or hangs."""
        if self._child is not None:
            self._child.poll_heartbeat()
            self._child.check()

    def reset_watchdog(self) -> None:
        """Restart the watchdog's time, see `ChildSupervisor.reset_watchdog`."""
        if self._child is not None:
            self._child.reset_watchdog()

    def restart_with(self, job: DaemonJob) -> None:
        """Go on with other settings: another channel, and another address if that has changed."""
        self.close()
        try:
            self._set(job)
        except ConfigError as error:
            log.error("there is no page: %s (%s)", error.message, error.hint)
            return
        self.start()

    def terminate(self) -> None:
        """Ask the process to end."""
        if self._child is not None:
            self._child.terminate()

    def close(self) -> None:
        """Kill what still runs, and give the address back."""
        if self._child is not None:
            self._child.stop(0.0)
            self._child.close()
        if self._listener is not None:
            self._listener.close()
        if self._channel is not None:
            self._channel.close()
        self._child = self._listener = self._channel = None


def model_settings(settings: Settings) -> Settings | None:
    """Settings by which the viewer loads the model once more; None where nothing is computed."""
    if parse_uri(settings.runtime.uri).scheme == "scripted":
        return None
    return Settings(
        state_dir=settings.state_dir,
        model=settings.model,
        model_keys=settings.model_keys,
        require_signed_model=settings.require_signed_model,
        gate=settings.gate,
        runtime=RuntimeSettings(uri="litert://?threads=1"),
    )


def listen(view: ViewSettings) -> socket.socket:
    """Listening socket of the page. Raises `ConfigError` if the address cannot be had."""
    try:
        family, _, _, _, place = socket.getaddrinfo(view.host, view.port, type=socket.SOCK_STREAM)[0]
        listener = socket.socket(family, socket.SOCK_STREAM)
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(place)
            listener.listen(64)
        except BaseException:
            listener.close()
            raise
    except OSError as error:
        raise ConfigError(
            f"view: nothing can be served on {view.host} port {view.port}: {error.strerror or error}",
            hint="another daemon may have it: set view.port, or view.host, to another",
        ) from None
    return listener


def address(view: ViewSettings, listener: socket.socket) -> str:
    """Address of the page for people."""
    port = view.port
    with contextlib.suppress(OSError):
        port = listener.getsockname()[1]
    host = f"[{view.host}]" if ":" in view.host else view.host
    return f"{'https' if view.cert_file else 'http'}://{host}:{port}/"
