"""TCP proxy between the daemon and its broker: the network can be cut or stalled at any byte."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading


class Proxy:
    """TCP proxy that forwards 127.0.0.1:``port`` to 127.0.0.1:``target``."""

    def __init__(self, target: int) -> None:
        self._target = target
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._server.getsockname()[1])
        self._flowing = {up: threading.Event() for up in (True, False)}
        """By direction; True: to the broker."""
        self.resume()
        self._budget: int | None = None
        """Bytes towards the broker until the connection is cut; None: no end."""
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._closed = False
        threading.Thread(target=self._accept, name="proxy", daemon=True).start()

    def cut(self) -> None:
        """Reset every connection now (RST)."""
        with self._lock:
            sockets, self._open = self._open, set()
            self._budget = None
        for one in sockets:
            _reset(one)

    def cut_after(self, size: int) -> None:
        """Reset every connection when ``size`` more bytes have gone to the broker: in the midst of a packet."""
        with self._lock:
            self._budget = size

    def stall(self, answers_only: bool = False) -> None:
        """Hold all data back, with connections open. ``answers_only``: data to the broker still gets through."""
        for up, flowing in self._flowing.items():
            if not (up and answers_only):
                flowing.clear()

    def resume(self) -> None:
        """Let data through again, also what has waited."""
        for flowing in self._flowing.values():
            flowing.set()

    def close(self) -> None:
        """Close the server and reset every connection."""
        self._closed = True
        self.resume()
        self._server.close()
        self.cut()

    def _accept(self) -> None:
        while not self._closed:
            try:
                inner, _ = self._server.accept()
            except OSError:
                return
            try:
                outer = socket.create_connection(("127.0.0.1", self._target), timeout=5)
            except OSError:  # the broker is away: refuse as it would
                _reset(inner)
                continue
            outer.settimeout(None)
            for one in (inner, outer):
                one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self._lock:
                self._open |= {inner, outer}
            for source, sink, up in ((inner, outer, True), (outer, inner, False)):
                threading.Thread(target=self._pump, args=(source, sink, up), daemon=True).start()

    def _pump(self, source: socket.socket, sink: socket.socket, up: bool) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(16384):
                self._flowing[up].wait()
                sink.sendall(data[: self._allowance(len(data))] if up else data)
                if up and self._budget == 0:
                    self.cut()
        with self._lock:
            self._open -= {source, sink}
        for one in (source, sink):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()

    def _allowance(self, size: int) -> int:
        with self._lock:
            if self._budget is None:
                return size
            allowed = min(size, self._budget)
            self._budget -= allowed
            return allowed


def _reset(one: socket.socket) -> None:
    """Close with RST: what was under way is gone, as when a cable is pulled and the router forgets."""
    with contextlib.suppress(OSError):
        one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        one.shutdown(socket.SHUT_RDWR)
    with contextlib.suppress(OSError):
        one.close()
