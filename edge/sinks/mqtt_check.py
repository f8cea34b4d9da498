"""May we connect? Asked by the command line, where a person can still mend it; the daemon itself just keeps trying."""

from __future__ import annotations

import threading
import time
import uuid
from typing import TYPE_CHECKING

from edge.contracts.errors import SinkError
from edge.sinks.mqtt_account import make_account
from edge.sinks.mqtt_connect import Connection
from edge.sinks.mqtt_dialect import AT_ONCE_S, DialectChooser, End

if TYPE_CHECKING:
    from edge.config.settings import SinkSettings

ADVICE: dict[End, tuple[str, str]] = {
    End.UNREACHABLE: ("nobody answers there", "is the broker running, the port right, and no firewall between?"),
    End.UNKNOWN_HOST: ("no such host", "check the name, or write its address"),
    End.TLS_FAILED: (
        "no trust in TLS",
        "set ca_file to the authority of the broker's certificate, which must name the host; "
        "cert_file and key_file if the broker wants ours",
    ),
    End.NO_ANSWER: (
        "it accepts connections, but does not answer",
        "is it an MQTT broker, and mqtts:// where it wants TLS?",
    ),
    End.CLOSED_UNANSWERED: (
        "it closes the connection without an answer",
        "is it an MQTT broker, and mqtts:// where it wants TLS?",
    ),
    End.BAD_VERSION: ("it does not speak this version of MQTT", 'set protocol = "auto"'),
    End.BAD_CLIENT_ID: ("it refuses our client identifier", "allow {site}/{device} there"),
    End.BAD_CREDENTIALS: ("it refuses our name or password", "check username and password_file"),
    End.NOT_AUTHORISED: ("it does not let us in", "check username and password_file, and the broker's access list"),
    End.UNAVAILABLE: ("it is there, but takes nobody now", "try again later"),
}
"""(what happened, what to do about it)."""
OVER_TLS = {
    End.CLOSED_UNANSWERED: (
        "it ends the encrypted connection without an answer",
        "does it want our certificate? set cert_file and key_file to ones that its authority signed",
    ),
}
"""The same, where the handshake was done: with TLS 1.3 a missing client certificate is refused after it."""


def check_broker(settings: SinkSettings, timeout_s: float = 5.0) -> None:
    """Connect to the broker of ``settings`` and leave again, under a client identifier of its own.

    Raises:
        SinkError: it cannot be reached, does not answer or refuses us, and what to do about it.
    """
    account = make_account(settings)
    chooser = DialectChooser(settings.protocol)
    client_id = f"sonoedge-check-{uuid.uuid4().hex[:8]}"
    deadline = time.monotonic() + timeout_s
    stop = threading.Event()
    timer = threading.Timer(timeout_s, stop.set)
    timer.daemon = True
    timer.start()
    try:
        while True:
            connection = Connection(account, chooser.current, client_id, lambda: None)
            end = _try(connection, stop)
            if end is None:
                return
            if not chooser.failed(end) or time.monotonic() > deadline:
                break
            time.sleep(AT_ONCE_S)
    finally:
        timer.cancel()
    if end is End.STOPPED:
        end = End.NO_ANSWER
    advice = ADVICE
    if account.tls is not None and end in OVER_TLS:
        advice = OVER_TLS
    what, hint = advice.get(end, (f"it refuses us ({end.value})", "see the broker's log"))
    why = f" ({connection.detail})" if connection.detail else ""
    raise SinkError(f"{account.name}: {what}{why}", hint=hint)


def _try(connection: Connection, stop: threading.Event) -> End | None:
    """How the connection failed; None if it came up."""
    came_up = False

    def look() -> None:
        nonlocal came_up
        if connection.up and not came_up:
            came_up = True
            connection.hang_up()

    connection.notify = look
    end = connection.run(stop)
    return None if came_up else end
