"""Which MQTT version and client identifier to use with a broker that has not answered yet. Pure: no I/O.

Brokers that know only MQTT 3.1.1 answer a version 5 CONNECT with "unsupported version", or just close. Some also close
on a client identifier with a slash in it, which MQTT lets them refuse. So there is a ladder:

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
    """What is spoken."""

    version: Literal["5", "3.1.1"]
    slash_free_client_id: bool
    """True: the client identifier has no slash."""


FALLBACK_ORDER = (
    ProtocolVersion("5", False),
    ProtocolVersion("5", True),
    ProtocolVersion("3.1.1", False),
    ProtocolVersion("3.1.1", True),
)


class ProtocolVersionChooser:
    """What to speak to one broker next."""

    def __init__(self, protocol: Literal["auto", "5", "3.1.1"] = "auto") -> None:
        self._fallback_order = [step for step in FALLBACK_ORDER if protocol in ("auto", step.version)]
        self._step = 0
        self._version_confirmed = False

    @property
    def current(self) -> ProtocolVersion:
        """For the next connection."""
        return self._fallback_order[self._step]

    def accepted(self) -> None:
        """The broker accepted us: this is how to speak to it from now on."""
        self._version_confirmed = True

    def failed(self, end: ConnectionEnd) -> bool:
        """A connection came to ``end``. True: there is something else to try at once."""
        protocol, step = self.current, self._step
        if end is ConnectionEnd.BAD_VERSION:
            self._go_to(
                lambda other: (
                    other.version != protocol.version and other.slash_free_client_id == protocol.slash_free_client_id
                )
            )
        elif end is ConnectionEnd.BAD_CLIENT_ID and not protocol.slash_free_client_id:
            self._go_to(lambda other: other.slash_free_client_id and other.version == protocol.version)
        elif end is ConnectionEnd.CLOSED_UNANSWERED and not self._version_confirmed:
            self._step = (step + 1) % len(self._fallback_order)
        return self._step > step

    def _go_to(self, wanted: Callable[[ProtocolVersion], bool]) -> None:
        for step, protocol in enumerate(self._fallback_order):
            if wanted(protocol):
                self._step, self._version_confirmed = step, False
