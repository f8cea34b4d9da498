"""The log of a stream's losses: each is told, and one that goes on for days fills no disk."""

from __future__ import annotations

from unittest.mock import MagicMock

import pytest

from edge.config.settings import Settings, StreamSettings
from edge.contracts.frames import SourceEvent
from edge.contracts.results import Reason
from edge.pipeline.stream_reporter import StreamReporter


@pytest.mark.parametrize(
    ("kind", "words", "told"),
    [
        ("lost", "it refuses the connection", [1, 2, 4, 8, 16]),
        ("lost", "header of version {0}: this is no OpenIGTLink", [1, 2, 4, 8, 16]),
        ("lost", "its pictures come {0}.5 s late", [1, 2, 4, 8, 16]),
        ("skipped", "frame {0} cannot be decoded", list(range(1, 17))),
    ],
)
def test_the_same_loss_is_told_ever_more_seldom_whatever_its_numbers(kind, words, told, caplog):
    reporter = StreamReporter(StreamSettings(name="cart", source=""), Settings(), MagicMock(), MagicMock())
    lines = []
    for number in range(1, 17):
        caplog.clear()
        reporter.event(SourceEvent(kind, Reason.SOURCE_LOST, words.format(number)))
        lines += [number] * len(caplog.records)
    assert lines == told
    caplog.clear()
    reporter.event(SourceEvent(kind, Reason.SOURCE_LOST, "something else"))
    assert len(caplog.records) == 1
