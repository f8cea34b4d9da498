"""``edge-cli benchmark`` from end to end: what it measures, and that no failure reads as a fast result."""

from __future__ import annotations

import contextlib
import csv
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest
from brokers import wait_until

from edge.bench import loadgen, run
from edge.bench.loadgen import LoadGenRules
from edge.bench.loadgen_result import percentiles_of, read_log
from edge.bench.report import read_json
from edge.bench.run import run_scenario
from edge.cli import main
from edge.cli.benchmark_options import parse_duration, parse_threads
from edge.config.settings import RuntimeSettings, Settings
from edge.contracts.errors import DeviceError, UsageError

if TYPE_CHECKING:
    from pathlib import Path

    from edge.bench.report import BenchmarkReport

FEW = ["--frames", "40", "--warm-up", "5"]
MADE = ("crop", "resize", "quantise", "invoke", "post", "turn")
"""Stages that every frame has, whatever the source."""


@pytest.fixture
def measured(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    """``measured(*args) -> (exit code, report, what was shown)``."""

    def measure(*args: str) -> tuple[int, BenchmarkReport, str]:
        path = tmp_path / "report.json"
        code = main.run(["benchmark", *args, "--json", str(path)])
        shown = capsys.readouterr()
        assert "Traceback" not in shown.err
        return code, read_json(path), shown.out

    return measure


@pytest.mark.slow
def test_the_stages_of_a_frame_add_up_to_its_time(measured) -> None:
    code, report, shown = measured(*FEW, "--runtime", "scripted://", "--no-broker")
    assert code == 0
    columns = report.samples
    assert len(columns["frame"]) >= 45
    assert columns["phase"].count("warm-up") == 5
    for row in range(len(columns["frame"])):
        parts = [columns[f"{stage}_ms"][row] for stage in (*MADE, "capture", "queue")]
        assert all(part is not None and part >= 0 for part in parts)
        assert sum(parts) == pytest.approx(columns["result_ms"][row], abs=0.5)
        assert columns["age_ms"][row] <= columns["result_ms"][row]
    assert report.stages["handover"] is not None
    assert report.stages["ack"] is None
    assert report.stages["decode"] is None
    assert "not measured: there is no broker" in shown
    assert "not there: frames are raw pixels" in shown
    assert report.frames.results == {"finding": report.frames.answered}
    assert report.throughput.fps > 0
    assert report.startup.parity is None
    assert all(len(line) <= 80 for line in shown.splitlines())


@pytest.mark.slow
def test_the_shipped_model_proves_what_it_computes_and_where(measured, tmp_path: Path) -> None:
    table, picture = tmp_path / "s.csv", tmp_path / "s.svg"
    code, report, shown = measured(*FEW, "--no-broker", "--fps", "0", "--csv", str(table), "--picture", str(picture))
    assert code == 0
    startup, setup = report.startup, report.setup
    assert startup.parity.cases > 0
    assert not startup.parity.problems
    assert startup.placement.delegated_macs > 0
    assert len(startup.warm_up_ms) == 20
    assert startup.load_ms > 0
    assert len(setup.model.sha256) == 64
    assert report.machine.libraries["ai-edge-litert"]
    assert report.memory.pss_mb.keys() == {"frame", "runtime"}
    assert "golden vectors passed" in shown
    assert len(list(csv.reader(table.read_text().splitlines()))) == 1 + len(report.samples["frame"])
    assert picture.read_text().startswith("<svg")


@pytest.mark.slow
def test_a_runtime_that_hangs_costs_frames_and_not_milliseconds(measured) -> None:
    uri = "scripted://?hang_at=30"
    code, report, shown = measured(*FEW, "--runtime", uri, "--no-broker", "--fps", "0")
    assert code == 5
    assert report.frames.no_result >= 1
    assert report.frames.restarts >= 1
    assert report.stages["result"].n == report.frames.answered - report.frames.uncomputed
    assert "NO RESULT" in shown


def test_pictures_that_are_refused_before_the_runtime_are_no_fast_frames(measured, tmp_path: Path) -> None:
    folder = tmp_path / "dark"
    folder.mkdir()
    for number in range(8):
        cv2.imwrite(str(folder / f"{number}.png"), np.zeros((480, 640), np.uint8))
    source = f"images://{folder}"
    code, report, shown = measured("--warm-up", "0", "--runtime", "scripted://", "--no-broker", "--source", source)
    assert code == 5
    assert report.frames.results == {"abstained: black": 8}
    assert report.stages["result"] is None
    assert "refused before the runtime" in shown
    assert str(folder) not in shown


def test_frames_of_files_are_decoded_in_the_measured_time(measured, tmp_path: Path) -> None:
    folder = tmp_path / "pictures"
    folder.mkdir()
    noise = np.random.default_rng(1).integers(0, 256, (480, 640), np.uint8)
    for number in range(6):
        cv2.imwrite(str(folder / f"{number}.png"), np.roll(noise, 50 * number))
    source = f"images://{folder}"
    _, report, shown = measured("--warm-up", "0", "--runtime", "scripted://", "--no-broker", "--source", source)
    assert report.stages["decode"].n == 6
    assert report.stages["capture"] is None
    assert "part of decode" in shown


@pytest.mark.broker
def test_every_frame_with_a_lesion_is_acknowledged(measured, broker, subscriber) -> None:
    code, report, _ = measured(*FEW, "--runtime", "scripted://", "--broker", broker.uri)
    assert code == 0
    frames = report.frames
    assert frames.unacknowledged == 0
    assert report.stages["ack"].n == report.stages["path"].n == frames.answered
    heard = {
        message.json["frame"]["seq"]
        for message in subscriber.on("/findings/feed-1")
        if message.json["lifecycle"] != "end"
    }
    assert set(report.samples["frame"]) <= heard
    for path, result in zip(report.samples["path_ms"], report.samples["result_ms"], strict=True):
        assert path > result
    assert report.memory.pss_mb.keys() == {"frame", "runtime", "publisher"}


@pytest.mark.broker
def test_what_a_broker_never_acknowledged_is_told(tmp_path: Path, broker) -> None:
    args = ["--runtime", "scripted://", "--broker", broker.uri, "--frames", "60", "--warm-up", "0", "--fps", "20"]
    with started(tmp_path, *args) as process:
        wait_until(lambda: b"findings/" in outbox_of(tmp_path), 60)
        broker.kill()
        shown, errors = process.communicate(timeout=100)
    assert process.returncode == 6, errors
    assert "NOT ACKNOWLEDGED" in shown


@pytest.mark.slow
def test_ctrl_c_shows_what_was_measured_so_far(tmp_path: Path) -> None:
    args = ["--runtime", "scripted://", "--no-broker", "--frames", "100000", "--warm-up", "0"]
    with started(tmp_path, *args, "--json", str(tmp_path / "r.json")) as process:
        wait_until(lambda: b"findings/" in outbox_of(tmp_path), 60)
        process.send_signal(signal.SIGINT)
        shown, errors = process.communicate(timeout=60)
    assert process.returncode == 130, errors
    assert errors == ""
    assert "Interrupted: this is what was measured until then." in shown
    report = read_json(tmp_path / "r.json")
    assert report.interrupted
    assert report.stages["result"].n >= 1
    assert not list(tmp_path.glob("sonoedge-benchmark-*"))


def started(folder: Path, *args: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "edge.cli.main", "benchmark", *args, "--state-dir", str(folder)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=folder)


def outbox_of(folder: Path) -> bytes:
    """All bytes of the outbox and its journal, as far as they can be read just now."""
    found = b""
    for path in folder.glob("sonoedge-benchmark-*/outbox.sqlite3*"):
        with contextlib.suppress(OSError):
            found += path.read_bytes()
    return found


@pytest.mark.slow
def test_a_sweep_tells_why_a_runtime_gave_no_numbers(measured, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edge.bench.sweep.FRAMES", 20)
    uris = ["scripted://", "litert://?threads=none", "scripted://?die_at=1"]
    code, report, shown = measured("--sweep", *(word for uri in uris for word in ("--runtime", uri)))
    assert code == 0
    good, wrong, dead = report.sweep
    assert good.problem is None
    assert good.fps > 0
    assert good.invoke.n >= 20
    assert "threads" in wrong.problem
    assert wrong.invoke is None
    assert dead.problem is not None
    assert dead.fps is None
    assert shown.count("no numbers: ") == 2


def test_without_loadgen_there_is_one_clear_error(monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    monkeypatch.setitem(sys.modules, "mlperf_loadgen", None)
    assert main.run(["benchmark", "--scenario", "single-stream", "--runtime", "scripted://"]) == 2
    error, hint = capsys.readouterr().err.strip().splitlines()
    assert "LoadGen" in error
    assert "pip install mlcommons-loadgen" in hint


@pytest.mark.slow
@pytest.mark.parametrize("name", loadgen.SCENARIOS)
def test_loadgen_asks_and_judges(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip(
        "mlperf_loadgen", reason="MLCommons LoadGen has no wheel for this machine: pip install mlcommons-loadgen"
    )
    monkeypatch.setitem(run.RULES, "short", LoadGenRules("a test", 0.2, dict.fromkeys(loadgen.SCENARIOS, 16)))
    settings = Settings(runtime=RuntimeSettings(uri="scripted://"))
    report = run_scenario(settings, name, "short", lambda share, words: None)
    per_query = loadgen.FRAMES_PER_QUERY.get(name, len(report.samples["query"]))
    assert report.loadgen.queries * per_query == len(report.samples["query"]) >= 16
    assert report.loadgen.value > 0
    hung = Settings(runtime=RuntimeSettings(uri="scripted://?hang_at=24", timeout_s=0.1))
    report = run_scenario(hung, name, "short", lambda share, words: None)
    assert not report.loadgen.valid
    assert any("had no result" in reason for reason in report.loadgen.reasons)


def test_loadgen_s_log_is_read_line_by_line(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_text(
        ':::MLLOG {"key": "result_90.00_percentile_latency_ns", "value": 2500000}\nnoise\n'
        ':::MLLOG {"key": "result_validity", "value": "INVALID"}\n:::MLLOG {"key": "cut'
    )
    values = read_log(path)
    assert values["result_validity"] == "INVALID"
    assert percentiles_of(values) == {"p90": 2.5}
    with pytest.raises(DeviceError, match="left no log"):
        read_log(tmp_path / "none")


def test_lengths_and_threads() -> None:
    assert [parse_duration(words) for words in ("90s", "10m", "1.5h")] == [90, 600, 5400]
    assert parse_threads("1,2") == [1, 2]
    assert parse_threads(None)[0] == 1
    for wrong in ("10", "m", "0s", "7h", "-1m"):
        with pytest.raises(UsageError, match="no length of time"):
            parse_duration(wrong)
    for wrong in ("", "0", "1,x", "99"):
        with pytest.raises(UsageError, match="no list of numbers"):
            parse_threads(wrong)


@pytest.mark.parametrize(
    "args",
    [
        ["--sustained", "10m", "--sweep"],
        ["--threads", "2"],
        ["--runtime", "scripted://", "--runtime", "litert://"],
        ["--scenario", "offline", "--fps", "30"],
        ["--scenario", "server"],
        ["--scenario", "offline", "--rules", "mine"],
        ["--broker", "jsonl:///f"],
        ["--picture", "now.png"],
        ["--json", "/nowhere/at/all.json"],
    ],
    ids=" ".join,
)
def test_what_cannot_be_is_said_in_two_lines(args: list[str], capsys) -> None:
    assert main.run(["benchmark", *args]) == 2
    shown = capsys.readouterr()
    assert len(shown.err.strip().splitlines()) == 2
    assert shown.out == ""


@pytest.mark.slow
def test_nobody_at_the_broker_s_address(capsys, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edge.bench.publisher_process.CONNECT_S", 1.0)
    uri = "mqtt://127.0.0.1:1"
    assert main.run(["benchmark", *FEW, "--runtime", "scripted://", "--broker", uri]) == 6
    assert "has acknowledged nothing" in capsys.readouterr().err
