"""The chart is SVG that a browser can read, with a mark for each frame, and it marks what was late."""

from __future__ import annotations

from typing import TYPE_CHECKING
from xml.dom import minidom

import numpy as np
import pytest

from edge.bench.chart import MOST_DOTS, report_svg, write_svg
from edge.contracts.errors import DeviceError, UsageError

if TYPE_CHECKING:
    from pathlib import Path


def parse(drawn: str) -> minidom.Document:
    return minidom.parseString(drawn)  # noqa: S318  (we drew it)


def dots(drawn: str, kind: str) -> int:
    return sum(one.getAttribute("class") == kind for one in parse(drawn).getElementsByTagName("circle"))


def test_each_frame_is_a_dot_and_late_ones_stand_out(report) -> None:
    drawn = report_svg(report([10.0] * 40 + [150.0] * 3))
    assert (dots(drawn, "dot"), dots(drawn, "slow")) == (40, 3)
    assert "p99 151" in drawn
    assert "deadline of the result 100" in drawn


def test_failures_are_not_drawn_as_fast_frames(report) -> None:
    drawn = report_svg(report([10.0] * 30 + [0.1] * 5, ["finding"] * 30 + ["no_result: failed"] * 5))
    assert dots(drawn, "dot") == 30


@pytest.mark.parametrize("times", [[3.0], [1.0, 1.0], [0.001, 5000.0]])
def test_odd_runs_can_be_drawn_too(report, times: list[float]) -> None:
    parse(report_svg(report(times)))


def test_a_long_run_keeps_its_slowest_frames(report) -> None:
    times = np.full(3 * MOST_DOTS, 10.0)
    times[5000] = 400.0
    drawn = report_svg(report(times))
    assert dots(drawn, "dot") <= MOST_DOTS
    assert dots(drawn, "slow") == 1


def test_names_cannot_break_out_of_the_picture(report) -> None:
    parse(report_svg(report([1.0, 2.0], runtime="<script>&")))


def test_nothing_to_draw_and_nowhere_to_write(report, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="nothing to draw"):
        report_svg(report([1.0], ["no_result: failed"]))
    with pytest.raises(DeviceError, match="cannot be written"):
        write_svg(tmp_path, report([1.0, 2.0]))
