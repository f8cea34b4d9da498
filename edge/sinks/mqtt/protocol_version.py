"""Chooses the MQTT version (5 or 3.1.1) and client identifier that a broker accepts. Pure: no I/O.

Brokers that know only MQTT 3.1.1 answer a version 5 CONNECT with "unsupported version", or just close. Some also close
on a client identifier with a slash in it, which MQTT lets them refuse. So they are tried in this order:

    5, site/device  ->  5, site_device  ->  3.1.1, site/device  ->  3.1.1, site_device  ->  from the top

A broker that closes before it answers moves us one step, so version 5 is left after the second time; an explicit
refusal moves straight to what it asks for. A TCP connection that is refused or times out says nothing of the kind and
never moves. The first success is remembered. (The identifiers take turns on purpose: rumqttd 0.20 takes no new client
at all once it has refused the same identifier with a slash twice.)
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

from edge.sinks.mqtt.connection_end import ConnectionEnd

if TYPE_CHECKING:
    from collections.abc import Callable


class ProtocolVersion(NamedTuple):
    """MQTT version of a connection, and the form of its client identifier."""

    version: Literal["5", "3.1.1"]
    slash_free: bool
    """Whether slashes in the client identifier are replaced by underscores."""

    def describe(self) -> str:
        """Version for the log, with what cannot be seen in it: silence of a 3.1.1 broker is no sign of health."""
        lacks = ", which cannot say what the broker's access list refuses" if self.version == "3.1.1" else ""
        return f"MQTT {self.version}{lacks}"


FALLBACK_ORDER = (
    ProtocolVersion("5", False),
    ProtocolVersion("5", True),
    ProtocolVersion("3.1.1", False),
    ProtocolVersion("3.1.1", True),
)
"""Order in which versions and forms of the client identifier are tried."""


class ProtocolVersionChooser:
    """Chooses the MQTT version for the next connection to one broker, from how the last one ended."""

    def __init__(self, protocol: Literal["auto", "5", "3.1.1"] = "auto") -> None:
        self._fallback_order = [step for step in FALLBACK_ORDER if protocol in ("auto", step.version)]
        self._step = 0
        self._version_confirmed = False

    @property
    def current(self) -> ProtocolVersion:
        """Version and client identifier for the next connection."""
        return self._fallback_order[self._step]

    def accepted(self) -> None:
        """Note that the broker accepted a connection: from now on only an explicit refusal changes the version."""
        self._version_confirmed = True

    def failed(self, end: ConnectionEnd) -> bool:
        """Note how a connection ended, and choose for the next. True: there is another version to try at once."""
        protocol, step = self.current, self._step
        if end is ConnectionEnd.BAD_VERSION:
            self._go_to(lambda other: other.version != protocol.version and other.slash_free == protocol.slash_free)
        elif end is ConnectionEnd.BAD_CLIENT_ID and not protocol.slash_free:
            self._go_to(lambda other: other.slash_free and other.version == protocol.version)
        elif end is ConnectionEnd.CLOSED_UNANSWERED and not self._version_confirmed:
            self._step = (step + 1) % len(self._fallback_order)
        return self._step > step

    def _go_to(self, wanted: Callable[[ProtocolVersion], bool]) -> None:
        for step, protocol in enumerate(self._fallback_order):
            if wanted(protocol):
                self._step, self._version_confirmed = step, False
