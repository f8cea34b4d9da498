"""Notifies systemd of readiness and watchdog: the protocol of sd_notify(3), datagrams of ``NAME=value`` lines."""

from __future__ import annotations

import contextlib
import os
import socket

READY, RELOADING, STOPPING, ALIVE = "READY=1", "RELOADING=1", "STOPPING=1", "WATCHDOG=1"


def has_service_manager() -> bool:
    """Whether a service manager (systemd) started us, which will also restart us."""
    return bool(os.environ.get("NOTIFY_SOCKET"))


def notify(*lines: str) -> None:
    """Send ``lines`` to the service manager, if there is one. Never waits, never fails."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address:
        return
    if address.startswith("@"):  # a name that is no file
        address = "\0" + address[1:]
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
        sender.setblocking(False)
        sender.sendto("\n".join(lines).encode(), address)
