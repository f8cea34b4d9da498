"""paho client that holds no more than the beginning of a packet that is too large, whoever sends it.

MQTT 5 brokers are asked (Maximum Packet Size) not to send us such packets. MQTT 3.1.1 has no word for it, and a broker
may not heed it; paho would then collect up to 256 MB in memory. So the rest of such a packet is read and dropped: what
remains is a message whose body is cut, and longer than any request may be, so that it is answered ``too_large``. The
connection goes on: one that was dropped would be sent the same message, if it is retained, at the next one.
"""

from __future__ import annotations

import logging

from paho.mqtt.client import Client

from edge.process.log_limit import LogLimiter

log = logging.getLogger(__name__)

MAXIMUM_PACKET = 64 * 1024
"""Bytes of the largest packet that brokers are asked to send us."""
KEPT_LIMIT = 2 * MAXIMUM_PACKET
"""So many bytes of a packet, and one piece more, are held. Above `MAXIMUM_PACKET`, topic included, and above what a
request may be long (``requests.max_bytes``)."""
PIECE = 64 * 1024
PIECES_AT_ONCE = 64
"""Pieces that are dropped before the connection does something else."""


class BoundedClient(Client):
    """paho's client with a limit to what it keeps of one incoming packet."""

    limited_log = LogLimiter(log)

    def _sock_recv(self, bufsize: int) -> bytes:
        """Override paho's one place where it reads from the socket; ``bufsize`` is the rest of a packet."""
        packet = self._in_packet
        for _ in range(PIECES_AT_ONCE):
            data = super()._sock_recv(min(bufsize, PIECE))
            if len(packet["packet"]) < KEPT_LIMIT or not data or len(data) == bufsize:
                return data
            packet["to_process"] -= len(data)  # dropped: it is never added to the packet
            bufsize -= len(data)
            self.limited_log.warning(
                "size", "a message of %d bytes was sent to us: it is cut", int(packet["remaining_length"])
            )
        raise BlockingIOError  # paho comes back for the rest
