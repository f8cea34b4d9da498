"""Checks whether a broker lets us connect and publish, for the command line.

There a person can still mend what is wrong; the daemon keeps trying.
"""

from __future__ import annotations

import threading
import time
import uuid
from typing import TYPE_CHECKING

from edge.contracts.errors import SinkError
from edge.sinks.mqtt.backoff import NEXT_VERSION_PAUSE_S
from edge.sinks.mqtt.connection import BrokerConnection
from edge.sinks.mqtt.connection_end import ConnectionEnd
from edge.sinks.mqtt.credentials import read_credentials
from edge.sinks.mqtt.protocol_version import ProtocolVersionChooser

if TYPE_CHECKING:
    from edge.config.settings import SinkSettings
    from edge.sinks.mqtt.inflight import QueuedMessage

REFUSED = 0x80
"""MQTT reason codes from here on are refusals."""
ADVICE: dict[ConnectionEnd, tuple[str, str]] = {
    ConnectionEnd.UNREACHABLE: (
        "nobody answers there",
        "is the broker running, the port right, and no firewall between?",
    ),
    ConnectionEnd.UNKNOWN_HOST: ("no such host", "check the name, or write its address"),
    ConnectionEnd.TLS_FAILED: (
        "no trust in TLS",
        "set ca_file to the authority of the broker's certificate, which must name the host; "
        "cert_file and key_file if the broker wants ours",
    ),
    ConnectionEnd.NO_ANSWER: (
        "it accepts connections, but does not answer",
        "is it an MQTT broker, and mqtts:// where it wants TLS?",
    ),
    ConnectionEnd.CLOSED_UNANSWERED: (
        "it closes the connection without an answer",
        "is it an MQTT broker, and mqtts:// where it wants TLS?",
    ),
    ConnectionEnd.BAD_VERSION: ("it does not speak this version of MQTT", 'set protocol = "auto"'),
    ConnectionEnd.BAD_CLIENT_ID: ("it refuses our client identifier", "allow {site}/{device} there"),
    ConnectionEnd.BAD_CREDENTIALS: ("it refuses our name or password", "check username and password_file"),
    ConnectionEnd.NOT_AUTHORISED: (
        "it does not let us in",
        "check username and password_file, and the broker's access list",
    ),
    ConnectionEnd.UNAVAILABLE: ("it is there, but takes nobody now", "try again later"),
}
"""(what happened, what to do about it)."""
OVER_TLS = {
    ConnectionEnd.CLOSED_UNANSWERED: (
        "it ends the encrypted connection without an answer",
        "does it want our certificate? set cert_file and key_file to ones that its authority signed",
    ),
}
"""The same, where the handshake was done: with TLS 1.3 a missing client certificate is refused after it."""


def check_broker(settings: SinkSettings, timeout_s: float = 5.0, publish: QueuedMessage | None = None) -> str:
    """Connect to the broker of ``settings`` and disconnect again, under a client identifier of its own.

    With ``publish``, that message (of QoS 1) is sent, and the broker's acknowledgement waited for. MQTT 3.1.1 cannot
    say that a broker refuses a topic: it acknowledges, and drops what was sent.

    Returns the version of MQTT that was spoken: ``"5"``, ``"3.1.1"``.

    Raises:
        SinkError: it cannot be reached, does not answer or refuses us, and what to do about it.
    """
    credentials = read_credentials(settings)
    chooser = ProtocolVersionChooser(settings.protocol)
    client_id = f"sonoedge-check-{uuid.uuid4().hex[:8]}"
    deadline = time.monotonic() + timeout_s
    stop = threading.Event()
    timer = threading.Timer(timeout_s, stop.set)
    timer.daemon = True
    timer.start()
    try:
        while True:
            connection = BrokerConnection(credentials, chooser.current, client_id, lambda: None)
            trial = _TrialConnection(connection, publish)
            end = trial.run(stop)
            if trial.was_connected and trial.done:
                return connection.protocol.version
            if trial.was_connected and publish is not None:
                raise _publish_refused(credentials.name, publish.topic, trial.code)
            if not chooser.failed(end) or time.monotonic() > deadline:
                break
            time.sleep(NEXT_VERSION_PAUSE_S)
    finally:
        timer.cancel()
    if end is ConnectionEnd.STOPPED:
        end = ConnectionEnd.NO_ANSWER
    advice = ADVICE
    if credentials.tls is not None and end in OVER_TLS:
        advice = OVER_TLS
    what, hint = advice.get(end, (f"it refuses us ({end.value})", "see the broker's log"))
    why = f" ({connection.detail})" if connection.detail else ""
    raise SinkError(f"{credentials.name}: {what}{why}", hint=hint)


class _TrialConnection:
    """One trial connection, and what came of it."""

    def __init__(self, connection: BrokerConnection, publish: QueuedMessage | None) -> None:
        self._connection, self._publish = connection, publish
        self.was_connected = False
        self.code: int | None = None
        """Reason code of the broker's answer to the message; None: it has not answered."""

    @property
    def done(self) -> bool:
        """Whether all that was to be tried succeeded."""
        return self._publish is None or (self.code is not None and self.code < REFUSED)

    def run(self, stop: threading.Event) -> ConnectionEnd:
        """Connect, publish and disconnect; returns how the connection ended."""
        self._connection.notify = self._on_event
        return self._connection.run(stop)

    def _on_event(self) -> None:
        connection = self._connection
        for _, self.code in connection.take_answers():
            connection.disconnect()
        if connection.up and not self.was_connected:
            self.was_connected = True
            if self._publish is None:
                connection.disconnect()
            else:
                connection.publish(self._publish)


def _publish_refused(name: str, topic: str, code: int | None) -> SinkError:
    if code is None:
        return SinkError(
            f"{name}: it lets us in, but does not acknowledge what is published", hint="see the broker's log"
        )
    return SinkError(
        f"{name}: it does not let us publish on {topic} (code 0x{code:02X})",
        hint="let this device's account publish below {root}/{site}/{device} in the broker's access list",
    )
