"""Words for what goes wrong on the network: each failure of a connection as an error with a hint, without the URI."""

from __future__ import annotations

import errno
import re

from edge.contracts.errors import SourceError, SourceSetupError
from edge.contracts.results import Reason

REFUSED_CREDENTIALS = "it refuses our name or password (401)"
CHECK_CREDENTIALS = "set username and password_file of the stream"
_STATUS = {
    400: ("it does not understand the request (400)", "check the path of the URI"),
    401: (REFUSED_CREDENTIALS, CHECK_CREDENTIALS),
    403: ("it refuses access (403)", "check the user's rights at the camera"),
    404: ("there is no such stream (404)", "check the path of the URI"),
    429: ("it has too many requests (429)", "are others connected too often?"),
    453: ("it has not enough bandwidth for another viewer (453)", "end another viewer of this camera"),
    454: ("it does not know our session (454)", "it is opened again"),
    461: ("it does not send over this transport (461)", "try transport=udp, or transport=tcp"),
    503: ("it serves no more viewers now (503)", "end another viewer of this camera"),
}
_SYSTEM = {
    errno.ECONNREFUSED: ("it refuses the connection", "is the server running, and is the port right?"),
    errno.ECONNRESET: ("it closed the connection", "it is opened again"),
    errno.EPIPE: ("it closed the connection", "it is opened again"),
    errno.EHOSTUNREACH: ("its host is not in reach", "is it on, and in this network?"),
    errno.ENETUNREACH: ("its network is not in reach", "check this device's network"),
    errno.ETIMEDOUT: ("it does not answer", "is it on, and in reach?"),
    errno.EADDRINUSE: ("its port is in use on this device", "is another program receiving it?"),
    errno.EADDRNOTAVAIL: ("its address is none of this device's", "write udp://0.0.0.0:PORT to receive from anyone"),
    errno.ENOMEM: ("it takes more memory to decode than a stream may have", "send smaller pictures"),
}

STATUS_IN_LOG = re.compile(r"(?:failed: |error )([345]\d\d)\b")
"""The status of an answer in FFmpeg's log."""


class AccessRefusedError(SourceError):
    """The server refuses us by name: asking again soon is of no use, and may lock the account."""


def lost(message: str, hint: str = "") -> SourceError:
    """The error that a stream is lost, or cannot be opened."""
    return SourceError(message, hint=hint, reason=Reason.SOURCE_LOST.value)


def refused(message: str, hint: str = CHECK_CREDENTIALS) -> AccessRefusedError:
    """The error that the server refuses name, password or access."""
    return AccessRefusedError(message, hint=hint, reason=Reason.SOURCE_LOST.value)


def status_error(status: int) -> SourceError:
    """Error of an HTTP or RTSP status that is none of success."""
    if status in (401, 403):
        return refused(*_STATUS[status])
    if status in _STATUS:
        return lost(*_STATUS[status])
    if status >= 500:
        return lost(f"it has an error of its own ({status})", "see the server's log")
    return lost(f"it answers with status {status}", "check the URI")


def system_error(code: int | None) -> SourceError | None:
    """Error of a system call by its number; None: no words are known for it."""
    if code == errno.EACCES:
        return SourceSetupError("its port may not be used", hint="take a port from 1024 on")
    return lost(*_SYSTEM[code]) if code in _SYSTEM else None
