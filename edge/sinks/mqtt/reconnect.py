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
        self._chooser, self._backoff = ProtocolVersionChooser(settings.protocol), ReconnectBackoff()
        self._losses = 0
        """Connections in a row that were lost soon after they were made."""
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
        while not self._stop.is_set():
            connection = self._next_connection()
            end = connection.run(self._stop)
            if end is ConnectionEnd.STOPPED:
                return
            self._stop.wait(self._pause_after(connection, end))

    def _next_connection(self) -> BrokerConnection:
        """Make the next connection, which is the latest one from now on."""
        self.latest_connection = BrokerConnection(
            self._credentials, self._chooser.current, self._client_id, self._notify, self._will, self._settings.inflight
        )
        return self.latest_connection

    def _pause_after(self, connection: BrokerConnection, end: ConnectionEnd) -> float:
        """Take note of how ``connection`` came to its ``end``; seconds until the next one."""
        unstable = False
        if connection.lasted_s:
            self._chooser.accepted()
            lost_soon = end is ConnectionEnd.LOST and connection.lasted_s < STABLE_CONNECTION_S
            self._losses = self._losses + 1 if lost_soon else 0
            unstable = self._losses == UNSTABLE_LOSSES
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
        return self._backoff.pause_after(end, connection.lasted_s, self._chooser.failed(end))
