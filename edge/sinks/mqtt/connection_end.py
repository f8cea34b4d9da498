"""Ways in which a connection to a broker ends, in the words of ``state.reasons``."""

from __future__ import annotations

from enum import Enum


class ConnectionEnd(str, Enum):
    """How an MQTT connection ended, or why there was none. The values are the words in ``state.reasons``."""

    UNREACHABLE = "unreachable"
    UNKNOWN_HOST = "unknown_host"
    TLS_FAILED = "tls_failed"
    NO_ANSWER = "no_answer"
    CLOSED_UNANSWERED = "closed_unanswered"
    BAD_VERSION = "unsupported_version"
    BAD_CLIENT_ID = "client_id_refused"
    BAD_CREDENTIALS = "bad_credentials"
    NOT_AUTHORISED = "not_authorised"
    UNAVAILABLE = "broker_unavailable"
    REFUSED = "connection_refused"
    """Refused by a CONNACK with another code than those above."""
    LOST = "connection_lost"
    TAKEN_OVER = "session_taken_over"
    STOPPED = "stopped"
    """Ended by us."""
