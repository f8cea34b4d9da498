"""Server of the viewer process: serves the page on the socket that the supervisor made, until SIGTERM."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import socket
from functools import partial
from typing import TYPE_CHECKING

import cv2
import uvicorn

from edge.app.logs import set_up_logs
from edge.contracts.decoding import decode_json
from edge.process.heartbeat import WATCHDOG_SIGNAL, send_heartbeat
from edge.process.malloc import limit_malloc_arenas
from edge.tap.channel import ChannelFds
from edge.tap.reader import TapReader
from edge.tap.viewer_job import ViewerJob
from edge.viewer.access import Access
from edge.viewer.app import make_app
from edge.viewer.device_view import DeviceView
from edge.viewer.limits import LimitedProtocol, limit_handshakes
from edge.viewer.session import MOST_BYTES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from edge.process.child import Inheritance


class _Server(uvicorn.Server):
    """uvicorn's server, which leaves signals to us."""

    def install_signal_handlers(self) -> None:
        """Install none."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Capture none."""
        yield


async def serve(job: ViewerJob, listener: socket.socket, fds: ChannelFds, heartbeat_fd: int) -> None:
    """Serve the page until SIGTERM."""
    device = DeviceView(TapReader(fds, job.streams), job, partial(send_heartbeat, heartbeat_fd))
    config = uvicorn.Config(
        make_app(device, Access(job.view), job.view.clients),
        http=LimitedProtocol,
        ws="websockets-sansio",
        ws_max_size=MOST_BYTES,
        ws_ping_interval=10.0,
        ws_ping_timeout=10.0,
        ws_per_message_deflate=False,
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        date_header=False,
        h11_max_incomplete_event_size=16384,
        timeout_keep_alive=5,
        timeout_graceful_shutdown=0,
        ssl_certfile=job.view.cert_file,
        ssl_keyfile=job.view.key_file,
    )
    server = _Server(config)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, WATCHDOG_SIGNAL):
        loop.add_signal_handler(number, lambda: setattr(server, "should_exit", True))
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM, WATCHDOG_SIGNAL})
    device.start()
    await server.serve(sockets=[listener])
    await device.stop()


def run(inheritance: Inheritance) -> int:
    """Take over what the supervisor handed over, and serve until the end; the exit code."""
    limit_malloc_arenas()
    job = decode_json(inheritance.payload, ViewerJob)
    set_up_logs(job.log)
    for name in ("uvicorn", "uvicorn.error", "asyncio"):  # they quote what strangers send
        logging.getLogger(name).setLevel(logging.CRITICAL)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    cv2.setNumThreads(1)
    limit_handshakes()
    listening_fd, heartbeat_fd, *channel = inheritance.fds
    listener = socket.socket(fileno=listening_fd)
    listener.setblocking(False)
    asyncio.run(serve(job, listener, ChannelFds.from_list(channel), heartbeat_fd))
    return 0
