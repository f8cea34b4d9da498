"""Reconnect thread of an MQTT sink: one `BrokerConnection` after another, with version fallback and back-off."""

from __future__ import annotations

import logging
import threading
import time
from typing import TYPE_CHECKING

from edge.process.log_limit import LogLimiter
from edge.sinks.mqtt.backoff import STABLE_CONNECTION_S, ReconnectBackoff
from edge.sinks.mqtt.connection import BrokerConnection
from edge.sinks.mqtt.connection_end import ConnectionEnd
from edge.sinks.mqtt.protocol_version import ProtocolVersionChooser

if TYPE_CHECKING:
    from collections.abc import Callable

    from edge.config.settings import SinkSettings
    from edge.sinks.mqtt.credentials import BrokerCredentials

log = logging.getLogger(__name__)

RECENT_PROBLEM_S = 600.0
"""Time after another client took our session, or connections broke in a row, for which that is reported."""
UNSTABLE_LOSSES = 3
"""Connections in a row that were lost soon after they were made. Some brokers (mosquitto 2.0, all with MQTT 3.1.1) do
not say that another client took our session: this is what it looks like from here."""


class Reconnector:
    """Keeps an MQTT sink connected, in a thread of its own.

    That thread writes, the publisher's reads `latest_connection`, `end` and `recent_problem`.
    """

    def __init__(
        self,
        settings: SinkSettings,
        credentials: BrokerCredentials,
        client_id: str,
        will: tuple[str, bytes],
        notify: Callable[[], None],
    ) -> None:
        """``will``: topic and body of the MQTT last will. ``notify`` is called, from any thread, when there is news."""
        self._settings = settings
        self._credentials = credentials
        self._client_id = client_id
        self._will = will
        self._notify = notify
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._connect_repeatedly, name=f"mqtt {credentials.name}", daemon=True)
        self.latest_connection: BrokerConnection | None = None
        """Newest connection. It may not be up yet, or not any more."""
        self.end: ConnectionEnd | None = None
        """How the last connection ended; None: none has."""
        self._recent_problem: tuple[float, str] | None = None
        self._limited_log = LogLimiter(log)

    def start(self) -> None:
        """Start the thread that connects."""
        self._thread.start()

    def stop(self) -> None:
        """Make no other connection. The present one is for its owner to disconnect."""
        self._stop.set()

    def join(self, timeout_s: float) -> None:
        """Wait for the thread to end, if it was started."""
        if self._thread.is_alive():
            self._thread.join(timeout_s)

    def recent_problem(self) -> str | None:
        """Word of a problem that is reported for a while, even when all is well again; None: there is none."""
        if self._recent_problem is not None and time.monotonic() - self._recent_problem[0] < RECENT_PROBLEM_S:
            return self._recent_problem[1]
        return None

    def _connect_repeatedly(self) -> None:
        """Body of the connecting thread."""
        chooser, backoff = ProtocolVersionChooser(self._settings.protocol), ReconnectBackoff()
        losses = 0
        while not self._stop.is_set():
            connection = BrokerConnection(
                self._credentials, chooser.current, self._client_id, self._notify, self._will, self._settings.inflight
            )
            self.latest_connection = connection
            end = connection.run(self._stop)
            if end is ConnectionEnd.STOPPED:
                return
            unstable = False
            if connection.lasted_s:
                chooser.accepted()
                losses = losses + 1 if end is ConnectionEnd.LOST and connection.lasted_s < STABLE_CONNECTION_S else 0
                unstable = losses == UNSTABLE_LOSSES
            if end is not self.end:
                why = f": {connection.detail}" if connection.detail else ""
                self._limited_log.warning(
                    end.value, "%s: %s (MQTT %s)%s", self._credentials.name, end.value, connection.protocol.version, why
                )
            if end is ConnectionEnd.TAKEN_OVER or unstable:
                word = end.value if end is ConnectionEnd.TAKEN_OVER else "connection_unstable"
                self._recent_problem = (time.monotonic(), word)
                self._limited_log.error(
                    word, "%s: %s: is there another device of the same site and name?", self._credentials.name, word
                )
            self.end = end
            self._stop.wait(backoff.pause_after(end, connection.lasted_s, chooser.failed(end)))
