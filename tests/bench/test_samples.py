"""Raw samples: which frames count in the times, and which are only listed."""

from __future__ import annotations

import csv
import math

import pytest

from edge.bench.samples import STAGES, Samples, write_csv
from edge.bench.throughput import throughput
from edge.contracts.errors import DeviceError


@pytest.fixture
def samples() -> Samples:
    one = Samples()
    one.add(0, 0, 0.0, 0.010, "finding", {"invoke": 8.0, "result": 10.0})
    one.add(0, 1, 0.1, 0.1001, "no_result: runtime_lost", {"invoke": 0.01, "result": 0.1})
    one.add(0, 2, 0.2, 0.2002, "abstained: black", {"result": 0.2})
    one.add(0, 3, 0.3, 0.312, "abstained: too_uncertain", {"invoke": 9.0, "result": 12.0})
    return one


def test_neither_a_failure_nor_a_refusal_reads_as_a_fast_frame(samples: Samples) -> None:
    assert samples.column("result").tolist() == [10.0, 12.0]
    assert samples.column("invoke").tolist() == [8.0, 9.0]
    assert sum(samples.counts().values()) == 4


def test_failures_take_their_time_from_the_throughput_and_do_not_count(samples: Samples) -> None:
    rate = throughput(samples)
    assert rate is not None
    assert (rate.frames, rate.failed) == (2, 2)
    assert rate.fps == pytest.approx(1 / 0.302)
    assert rate.low is None


def test_raw_samples_go_out_as_they_are(samples: Samples, tmp_path) -> None:
    columns = samples.as_columns()
    assert columns["result"][1] == "no_result: runtime_lost"
    assert columns["computed"] == [1, 0, 0, 1]
    assert columns["ack_ms"] == [None] * 4
    write_csv(tmp_path / "s.csv", columns)
    rows = list(csv.DictReader((tmp_path / "s.csv").read_text().splitlines()))
    assert [row["result_ms"] for row in rows] == ["10.0", "0.1", "0.2", "12.0"]
    assert {row["ack_ms"] for row in rows} == {""}
    assert all(math.isnan(value) for stage in STAGES[:2] for value in samples.times[stage])
    with pytest.raises(DeviceError, match="cannot be written"):
        write_csv(tmp_path, columns)
