"""HTTP connection to a camera: redirects, basic and digest authentication, time limits, and the kernel's time stamps.

The standard library's client, with a socket of ours below it: each read is timed by the kernel (SO_TIMESTAMPNS), so
that bytes that lay here unread are as old as they are, and ends at one deadline, however slowly they drip.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import http.client
import io
import socket
import ssl
import struct
import time
import urllib.request
from typing import TYPE_CHECKING, Any
from urllib.error import URLError
from urllib.parse import quote, urljoin, urlsplit

from edge.contracts.errors import SourceError
from edge.sources.live.network_errors import REFUSED_CREDENTIALS, lost, refused, status_error, system_error

if TYPE_CHECKING:
    from edge.sources.live.reader import LiveOptions

SO_TIMESTAMPNS = 35
"""From <asm/socket.h>, with 64-bit seconds on all machines that have wheels."""
_STAMP = struct.Struct("qq")
MOST_REDIRECTS = 5
OLDEST_NS = 60_000_000_000
"""A kernel's stamp that is older is of a wall clock that was set meanwhile."""
_HASHES = {"MD5": hashlib.md5, "SHA": hashlib.sha1, "SHA-256": hashlib.sha256}
"""Hashes by which a digest challenge may ask for a password."""
_REDIRECTS = (301, 302, 303, 307, 308)


class StampedReader(io.RawIOBase):
    """Raw stream of a socket that knows when the kernel received what was read last, and has one deadline."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self.arrived_ns = time.monotonic_ns()
        """CLOCK_MONOTONIC; of TLS when it was read, since the kernel sees only whole records."""
        self.deadline = time.monotonic() + 60.0
        """When `readinto` gives up, by `time.monotonic`."""
        self._has_stamps = not isinstance(sock, ssl.SSLSocket)
        if self._has_stamps:
            with contextlib.suppress(OSError):
                sock.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)

    def readable(self) -> bool:
        """Implement `io.RawIOBase.readable`: it is."""
        return True

    def close(self) -> None:
        """Implement `io.RawIOBase.close`: close the socket."""
        self._sock.close()
        super().close()

    def readinto(self, buffer: Any) -> int:
        """Implement `io.RawIOBase.readinto`. Raises TimeoutError at the deadline."""
        left = self.deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError
        self._sock.settimeout(left)
        if not self._has_stamps:
            count = self._sock.recv_into(buffer)
            self.arrived_ns = time.monotonic_ns()
            return count
        count, notes, _, _ = self._sock.recvmsg_into([buffer], socket.CMSG_SPACE(_STAMP.size))
        self.arrived_ns = time.monotonic_ns() - _age_ns(notes)
        return count


class _Socket:
    """What `http.client` needs of a socket, with reads that go through a `StampedReader`."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self.reader = StampedReader(sock)

    def makefile(self, mode: str) -> io.BufferedReader:
        """Stream of the answer."""
        return io.BufferedReader(self.reader)

    def sendall(self, data: bytes) -> None:
        """Send all of ``data``."""
        self._sock.sendall(data)

    def close(self) -> None:
        """Do nothing: `http.client` closes what ends with the answer before that is read. See `StampedReader.close`."""


class HttpAnswer:
    """Answer with status 200, of which the body is still to be read."""

    def __init__(self, reader: StampedReader, response: http.client.HTTPResponse) -> None:
        self.reader, self.response = reader, response

    def close(self) -> None:
        """Close the connection at once."""
        self.response.close()
        self.reader.close()


def open_http(options: LiveOptions, *, verify: bool = True) -> HttpAnswer:
    """Ask for the stream, and follow redirects. ``verify``: refuse certificates that nobody vouches for.

    Raises `SourceError`.
    """
    deadline = time.monotonic() + options.open_timeout_s
    url = options.location
    home = _origin(url)
    try:
        for _ in range(MOST_REDIRECTS + 1):
            # A name and password are for whom they were given, not for whom that one names.
            url = _encoded(url)
            answer = _ask(url, options if _origin(url) == home else None, deadline, verify)
            if isinstance(answer, HttpAnswer):
                return answer
            url = answer
    except Exception as error:
        raise http_error(error, options.open_timeout_s) from None
    raise lost("it redirects from one address to another without end", "check the URI at the camera")


def http_error(error: Exception, waited_s: float) -> SourceError:
    """An exception of the HTTP client in words."""
    if isinstance(error, SourceError):
        return error
    if isinstance(error, TimeoutError):
        return lost(f"it did not answer within {waited_s:.0f} s", "is it on, and in reach?")
    if isinstance(error, ssl.SSLCertVerificationError):
        return lost("its certificate is not trusted", "install its authority's certificate, or write verify=no")
    if isinstance(error, ssl.SSLError):
        return lost("it speaks no TLS that is known here", "is it http:// and not https://?")
    if isinstance(error, socket.gaierror):
        return lost("the name of its host is not known", "check the host, and this device's network")
    if isinstance(error, OSError) and (known := system_error(error.errno)) is not None:
        return known
    if isinstance(error, (http.client.HTTPException, ValueError)):
        return lost("what it answers is no HTTP", "check host and port")
    if isinstance(error, OSError):
        return lost(f"the connection failed ({type(error).__name__})", "is it on, and in reach?")
    raise error


def _ask(url: str, options: LiveOptions | None, deadline: float, verify: bool) -> HttpAnswer | str:
    """The answer to a request, or the address that it redirects to."""
    authorization = ""
    for _ in range(2):
        connection, reader = _connect(url, deadline, verify)
        try:
            response = _request(connection, url, authorization)
            if response.status == 200:
                return HttpAnswer(reader, response)
            if response.status not in (401, *_REDIRECTS):
                raise status_error(response.status)
        except BaseException:
            reader.close()
            raise
        reader.close()
        if response.status in _REDIRECTS:
            return _redirected(url, response.headers.get("location", ""))
        challenges = response.headers.get_all("www-authenticate") or []
        if options is None or options.username is None:
            raise refused("it wants a name and a password (401)")
        if authorization:
            break
        authorization = _authorization(url, challenges, options.username, options.password or "")
    raise refused(REFUSED_CREDENTIALS)


def _connect(url: str, deadline: float, verify: bool) -> tuple[http.client.HTTPConnection, StampedReader]:
    parts = urlsplit(url)
    timeout = max(0.01, deadline - time.monotonic())
    host = parts.hostname or ""
    if parts.scheme == "https":
        context = ssl.create_default_context()
        if not verify:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        connection: http.client.HTTPConnection = http.client.HTTPSConnection(
            host, parts.port, timeout=timeout, context=context
        )
    else:
        connection = http.client.HTTPConnection(host, parts.port, timeout=timeout)
    connection.connect()
    sock: Any = _Socket(connection.sock)
    sock.reader.deadline = deadline
    connection.sock = sock
    return connection, sock.reader


def _request(connection: http.client.HTTPConnection, url: str, authorization: str) -> http.client.HTTPResponse:
    headers = {"User-Agent": "sonoedge", "Accept": "multipart/x-mixed-replace, image/jpeg, */*", "Connection": "close"}
    if authorization:
        headers["Authorization"] = authorization
    connection.request("GET", _selector(url), headers=headers)
    return connection.getresponse()


def _selector(url: str) -> str:
    parts = urlsplit(url)
    return (parts.path or "/") + (f"?{parts.query}" if parts.query else "")


def _encoded(url: str) -> str:
    """An address whose path and query may stand in a request: what is encoded already stays as it is."""
    parts = urlsplit(url)
    path, query = (quote(part, safe="%/:@!$&'()*+,;=?[]~") for part in (parts.path, parts.query))
    return parts._replace(path=path, query=query, fragment="").geturl()


def _redirected(url: str, to: str) -> str:
    target = urljoin(url, to)
    if not to or urlsplit(target).scheme not in ("http", "https") or not urlsplit(target).hostname:
        raise lost("it redirects to what is no web address", "check the URI at the camera")
    if url.startswith("https:") and not target.startswith("https:"):
        raise lost("it redirects from an encrypted address to an open one", "write the http:// URI if that is meant")
    return target


def _origin(url: str) -> tuple[str, str | None, int]:
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port or (443 if parts.scheme == "https" else 80)


def _authorization(url: str, challenges: list[str], username: str, password: str) -> str:
    """Value of the header that answers the best of the challenges."""
    for challenge in challenges:
        kind, _, rest = challenge.partition(" ")
        if kind.lower() == "digest":
            fields = urllib.request.parse_keqv_list(urllib.request.parse_http_list(rest))
            if "qop" in fields:
                fields["qop"] = fields["qop"].replace(" ", "")
            passwords = urllib.request.HTTPPasswordMgrWithDefaultRealm()
            passwords.add_password(None, url, username, password)
            handler: Any = _DigestAnswer(passwords)
            with contextlib.suppress(ValueError, KeyError, URLError):  # what is not known: the next challenge
                found = handler.get_authorization(urllib.request.Request(url), fields)  # noqa: S310  (http only)
                if found:
                    return f"Digest {found}".encode().decode("latin-1")  # `http.client` writes it so
    if any(challenge.lower().startswith("basic") for challenge in challenges):
        return "Basic " + base64.b64encode(f"{username}:{password}".encode()).decode()
    raise lost("it wants a kind of authentication that is not known here", "set it to digest or basic")


class _DigestAnswer(urllib.request.AbstractDigestAuthHandler):
    """Answer to a digest challenge. The standard library's own takes neither SHA-256 nor letters beyond ASCII."""

    def get_algorithm_impls(self, algorithm: str) -> Any:
        """Hash, and keyed hash, of texts by the name of the algorithm. ValueError for one that is not known."""
        if algorithm.upper() not in _HASHES:
            raise ValueError
        make = _HASHES[algorithm.upper()]

        def digest(text: str) -> str:
            return make(text.encode()).hexdigest()

        return digest, lambda secret, data: digest(f"{secret}:{data}")


def _age_ns(notes: Any) -> int:
    """How long ago the kernel received what was read, by its stamp; 0 if it has none that can be believed."""
    for level, kind, data in notes:
        if level == socket.SOL_SOCKET and kind == SO_TIMESTAMPNS and len(data) >= _STAMP.size:
            seconds, nanoseconds = _STAMP.unpack_from(data)
            age = time.time_ns() - (seconds * 1_000_000_000 + nanoseconds)
            return age if 0 <= age < OLDEST_NS else 0
    return 0
