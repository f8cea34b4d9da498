"""Comparing two reports: a verdict needs confidence, and a failure counts against the run that failed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from edge.bench.bootstrap import mean_statistic, quantile_statistic, ratio_of, slower_share
from edge.bench.compare import compare, steady_times
from edge.bench.report import read_json, write_json
from edge.cli.main import run
from edge.contracts.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path

RNG = np.random.default_rng(7)


def times(median: float, n: int = 400) -> np.ndarray:
    return median * np.exp(0.1 * RNG.normal(size=n))


def test_a_slower_run_is_a_regression_and_a_faster_one_is_not(report) -> None:
    before, after = report(times(10.0)), report(times(13.0))
    slower = compare(before, after, 0.05)
    assert slower.regression
    assert {line.verdict for line in slower.lines} == {"slower"}
    assert slower.slower_share["path"] > 0.9
    faster = compare(after, before, 0.05)
    assert not faster.regression
    assert {line.verdict for line in faster.lines} == {"faster"}


def test_chance_is_no_regression(report) -> None:
    verdicts = [compare(report(times(10.0)), report(times(10.0)), 0.05) for _ in range(6)]
    assert not any(one.regression for one in verdicts)
    assert any(line.verdict == "same" for one in verdicts for line in one.lines)


def test_a_difference_within_the_tolerance_is_none(report) -> None:
    assert not compare(report(times(10.0)), report(times(10.5)), 0.2).regression


def test_frames_without_a_result_count_against_b_however_fast_the_others_are(report) -> None:
    words = ["finding"] * 390 + ["no_result: runtime_hung"] * 10
    good, bad = report(times(10.0)), report(times(5.0), words)
    assert steady_times(bad, "result").size == 390
    found = compare(good, bad, 0.05)
    assert found.regression
    assert any("not computed" in words for words in found.worse)


def test_warm_up_is_left_out(report) -> None:
    slow_start = np.concatenate([np.full(50, 500.0), times(10.0, 350)])
    assert steady_times(report(slow_start, warm_up=50), "result").max() < 50


@pytest.mark.parametrize("other", [{"fps": 20.0}, {"source": "images:///…"}, {"broker": None}, {"streams": 2}])
def test_unlike_runs_are_refused_unless_told(report, other: dict[str, object]) -> None:
    a, b = report(times(10.0)), report(times(10.0), **other)
    with pytest.raises(UsageError, match="not of the same"):
        compare(a, b, 0.05)
    assert compare(a, b, 0.05, anyway=True).differences


def test_too_few_samples_are_refused(report) -> None:
    with pytest.raises(UsageError, match="not 20 samples"):
        compare(report(times(10.0, 5)), report(times(10.0, 5)), 0.05)


def test_the_ratio_s_interval_holds_the_truth() -> None:
    hits = 0
    for _ in range(40):
        ratio = ratio_of(times(10.0, 150), times(12.0, 150), quantile_statistic(0.5), 0.95)
        hits += ratio.low <= 1.2 <= ratio.high
    assert hits >= 34


def test_slow_phases_widen_the_interval() -> None:
    alone = times(10.0, 300)
    stretches = np.repeat(times(10.0, 30), 10)
    one, other = ratio_of(alone, alone, mean_statistic, 0.95), ratio_of(stretches, stretches, mean_statistic, 0.95)
    assert other.high - other.low > 1.5 * (one.high - one.low)


def test_mann_whitney_by_hand() -> None:
    assert slower_share(np.array([1.0, 2.0]), np.array([2.0, 3.0])) == 3.5 / 4


def test_exit_codes(report, tmp_path: Path, capsys) -> None:
    a, b, c = (tmp_path / name for name in ("a.json", "b.json", "c.json"))
    write_json(a, report(times(10.0)))
    write_json(b, report(times(14.0)))
    assert run(["benchmark", "compare", str(a), str(a)]) == 0
    assert "no regression" in capsys.readouterr().out
    assert run(["benchmark", "compare", str(a), str(b)]) == 7
    assert "REGRESSION" in capsys.readouterr().out
    assert run(["benchmark", "compare", str(a), str(b), "--tolerance", "1"]) == 0
    capsys.readouterr()
    c.write_text("{}")
    for wrong in (str(c), str(tmp_path / "none.json")):
        assert run(["benchmark", "compare", str(a), wrong]) == 2
        assert len(capsys.readouterr().err.strip().splitlines()) == 2


def test_a_report_survives_its_file(report, tmp_path: Path) -> None:
    one = report(times(10.0, 30), ["finding"] * 29 + ["no_result: failed"])
    write_json(tmp_path / "r.json", one)
    assert read_json(tmp_path / "r.json") == one
