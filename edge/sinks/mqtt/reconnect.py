"""Reconnect thread of an MQTT sink: one `BrokerConnection` after another, with version fallback and back-off."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from typing import TYPE_CHECKING, Any

import msgspec

from edge.contracts.decoding import UnreadableError, decode_json
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
"""Connections in a row that were lost soon after they were made, while the broker was there all the while."""
AWAY = (ConnectionEnd.UNREACHABLE, ConnectionEnd.UNKNOWN_HOST, ConnectionEnd.NO_ANSWER)
"""Ends that say that the broker, or the way to it, was not there."""


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
        """``notify`` is called, from any thread, when there is news.

        ``will``: topic and body of the MQTT last will; the body gets the number of the connection, see `Will`. By that
        a will that was left just now is told from one that had been there before.
        """
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
        self.broker_was_there = False
        """Whether the connection before was lost, and the next one stood at the first try."""
        self._recent_problem: tuple[float, str] | None = None
        self._other_device_at: float | None = None
        """When another device with our identity was noticed last."""
        self._unanswered: deque[set[str]] = deque(maxlen=UNSTABLE_LOSSES - 1)
        """Topics that each of the last connections was lost on before anything there was answered."""
        self._limited_log = LogLimiter(log)

    def _numbered_will(self, number: int) -> tuple[str, bytes]:
        topic, body = self._will
        try:
            fields = decode_json(body, dict[str, Any])
        except UnreadableError:
            return self._will
        return topic, msgspec.json.encode({**fields, "connection": number})

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

    def note_other_device(self) -> None:
        """Note that another device uses our identity: its ``state`` stands where ours was.

        The present connection goes on. When it is lost, that device has taken our session back, and it is left to it
        for a while, as where the broker says so itself.
        """
        self._other_device_at = time.monotonic()
        self._report_taken_over()

    def note_unanswered(self, topics: set[str]) -> None:
        """Note that a connection was lost while nothing that was published on ``topics`` had been answered."""
        self._unanswered.append(topics)

    def _connect_repeatedly(self) -> None:
        """Body of the connecting thread."""
        chooser, backoff = ProtocolVersionChooser(self._settings.protocol), ReconnectBackoff()
        losses = number = 0
        while not self._stop.is_set():
            number += 1
            will, inflight = self._numbered_will(number), self._settings.inflight
            connection = BrokerConnection(
                self._credentials, chooser.current, self._client_id, self._notify, will, inflight
            )
            self.latest_connection = connection
            end = self._judge_end(connection.run(self._stop))
            if end is ConnectionEnd.STOPPED:
                return
            if connection.lasted_s:
                chooser.accepted()
                short = connection.lasted_s < STABLE_CONNECTION_S
                losses = losses + 1 if end is ConnectionEnd.LOST and short else 0
            elif end in AWAY:
                losses = 0
            self._report(end, connection, losses == UNSTABLE_LOSSES)
            self.broker_was_there = bool(connection.lasted_s)
            self.end = end
            self._stop.wait(backoff.pause_after(end, connection.lasted_s, chooser.failed(end)))

    def _judge_end(self, end: ConnectionEnd) -> ConnectionEnd:
        """How a connection ended, with what is known of another device that the broker did not tell of."""
        seen_at = self._other_device_at
        if end is ConnectionEnd.LOST and seen_at is not None and time.monotonic() - seen_at < RECENT_PROBLEM_S:
            return ConnectionEnd.TAKEN_OVER
        return end

    def _report(self, end: ConnectionEnd, connection: BrokerConnection, unstable: bool) -> None:
        """Log how ``connection`` came to its ``end``, if that is news, and keep what is reported for a while."""
        name = self._credentials.name
        if end is ConnectionEnd.TAKEN_OVER:
            self._report_taken_over()
        elif end is ConnectionEnd.NOT_AUTHORISED and connection.lasted_s:
            self._recent_problem = (time.monotonic(), end.value)
            self._limited_log.error(
                end.value,
                "%s: %s: the broker's access list (ACL) forbids what we did%s",
                name,
                end.value,
                self._where(),
            )
        elif end is not self.end:
            why = f": {connection.detail}" if connection.detail else ""
            self._limited_log.warning(
                end.value, "%s: %s (MQTT %s)%s", name, end.value, connection.protocol.version, why
            )
        if unstable:
            word = "refused" if self._where() else "connection_unstable"
            self._recent_problem = (time.monotonic(), word)
            hint = f"does its access list (ACL) let this device publish there{self._where()}?"
            if not self._where():
                hint = f"its log may say why; another client with the identifier {self._client_id} would do this, too"
            self._limited_log.error(
                word, "%s: %s: the broker closed %d connections soon after they were made: %s",
                name, word, UNSTABLE_LOSSES, hint,
            )  # fmt: skip

    def _report_taken_over(self) -> None:
        word = ConnectionEnd.TAKEN_OVER.value
        self._recent_problem = (time.monotonic(), word)
        self._limited_log.error(
            word, "%s: %s: another device has our identity %s: give each its own name (device = ...)",
            self._credentials.name, word, self._client_id,
        )  # fmt: skip

    def _where(self) -> str:
        """Topics on which the last connections were all lost without an answer, in words; empty: there are none."""
        recent = list(self._unanswered)
        common = set.intersection(*recent) if len(recent) == UNSTABLE_LOSSES - 1 else set()
        return f" ({', '.join(sorted(common))})" if common else ""
