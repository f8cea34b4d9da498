"""Reconnect back-off: pauses double up to a limit, start anew when things change, and jitter spreads them."""

from __future__ import annotations

from edge.sinks.mqtt.backoff import ReconnectBackoff
from edge.sinks.mqtt.connection_end import ConnectionEnd


def test_pauses_double_up_to_a_limit_and_start_anew_when_things_change() -> None:
    backoff = ReconnectBackoff(jitter=lambda: 1.0)
    assert [backoff.pause_after(ConnectionEnd.BAD_CREDENTIALS, 0, False) for _ in range(7)] == [2, 4, 8, 16, 32, 60, 60]
    assert [round(backoff.pause_after(ConnectionEnd.UNREACHABLE, 0, False), 3) for _ in range(5)] == [
        0.2,
        0.4,
        0.8,
        1.5,
        1.5,
    ]
    assert backoff.pause_after(ConnectionEnd.TAKEN_OVER, 3, False) == 60
    assert [backoff.pause_after(ConnectionEnd.LOST, 1, False) for _ in range(3)] == [0.2, 0.4, 0.8]
    assert backoff.pause_after(ConnectionEnd.LOST, 1000, False) == 0.2


def test_jitter_spreads_pauses_and_never_lengthens_them() -> None:
    pauses = {ReconnectBackoff().pause_after(ConnectionEnd.TAKEN_OVER, 0, False) for _ in range(50)}
    assert len(pauses) > 40
    assert all(30 <= pause <= 60 for pause in pauses)
