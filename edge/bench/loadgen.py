"""MLCommons LoadGen scenarios: LoadGen says when the next query comes, and by whose rules the run is valid.

    single-stream   one frame at a time; the next comes when it is answered. What counts: p90 of the time
    multi-stream    eight frames at a time; what counts: p99 of the time for all eight
    offline         all frames at once; what counts: frames a second

A query is answered by `Analyser.analyse`: preprocessing, runtime, post-processing, for frames that lie ready in memory.
What comes out is a measurement with MLPerf's tool, not an MLPerf result: that takes their models, data and review.
"""

from __future__ import annotations

import tempfile
import time
from dataclasses import dataclass, replace
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edge.app.compose import choose_model, make_guard
from edge.bench.loadgen_result import LoadGenResult, percentiles_of, read_log
from edge.bench.rendered_frames import phantom_frames
from edge.contracts.errors import UsageError
from edge.contracts.results import Status
from edge.pipeline.analyser import Analyser
from edge.process.install import pip_install

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from edge.config.settings import Settings

SCENARIOS = ("single-stream", "multi-stream", "offline")
FRAMES_PER_QUERY = {"single-stream": 1, "multi-stream": 8}
METRICS = {
    "single-stream": "p90 of a frame, ms",
    "multi-stream": "p99 of eight frames, ms",
    "offline": "frames a second",
}
WARM_UP = 10


@dataclass(frozen=True, slots=True)
class LoadGenRules:
    """Rules of MLPerf that say how long a LoadGen run must be."""

    name: str
    min_seconds: float
    min_queries: dict[str, int]
    """By scenario; of offline, which is one query, frames."""

    def describe(self, scenario: str) -> str:
        """Text of these rules for one scenario."""
        things = "frames" if scenario == "offline" else "queries"
        return f"{self.name}: at least {self.min_queries[scenario]:,} {things} and {self.min_seconds:.0f} s"


RULES = {
    # MLPerf Mobile has no multi-stream: there, as always, so many queries as early stopping needs to tell a p99.
    "mobile-quick": LoadGenRules(
        "MLPerf Mobile's quick mode", 10.0, {"single-stream": 128, "multi-stream": 662, "offline": 128}
    ),
    "mobile": LoadGenRules("MLPerf Mobile", 60.0, {"single-stream": 1024, "multi-stream": 1024, "offline": 1024}),
    # As MLCommons' own mlperf.conf has it for pictures; 100 is what LoadGen takes where that says nothing.
    "inference": LoadGenRules(
        "MLPerf Inference, edge", 600.0, {"single-stream": 100, "multi-stream": 662, "offline": 24576}
    ),
}


@dataclass(slots=True)
class LoadGenQueries:
    """Raw samples of a LoadGen run: what became of each frame that it asked for."""

    answered_s: list[float]
    """When, since the first question."""
    latency_ms: list[float]
    """From the query to this frame's answer."""
    result: list[str]
    query: list[int]


def run_loadgen(
    settings: Settings,
    scenario: str,
    rules: LoadGenRules,
    interrupted: Callable[[], bool],
    progress: Callable[[float, int], None],
) -> tuple[LoadGenResult, LoadGenQueries, bool]:
    """Run a LoadGen scenario: its result, the raw samples, and whether Ctrl-C ended it.

    Args:
        settings: model and runtime.
        scenario: one of `SCENARIOS`.
        rules: how long the run must be.
        interrupted: whether to stop.
        progress: called with seconds and frames so far.

    Raises:
        UsageError: LoadGen is not installed.
        EdgeError: what a daemon would not start for.
    """
    loadgen = _library()
    model = choose_model(settings)
    analyser = Analyser(model.manifest, make_guard(settings, model, isolated=settings.runtime.isolated))
    try:
        return _run(loadgen, analyser, scenario, rules, interrupted, progress)
    finally:
        analyser.close()


def _library() -> Any:
    try:
        return import_module("mlperf_loadgen")
    except ImportError:
        raise UsageError(
            "--scenario needs MLCommons LoadGen, which is not installed",
            hint=f"{pip_install('mlcommons-loadgen')} (where there is no wheel, it compiles: a C++ compiler is needed)",
        ) from None


def _run(
    loadgen: Any,
    analyser: Analyser,
    scenario: str,
    rules: LoadGenRules,
    interrupted: Callable[[], bool],
    progress: Callable[[float, int], None],
) -> tuple[LoadGenResult, LoadGenQueries, bool]:
    frames = phantom_frames()
    began = time.monotonic()
    for frame in (frames * WARM_UP)[:WARM_UP]:
        analyser.analyse(replace(frame, captured_ns=time.monotonic_ns()))
    speed = WARM_UP / (time.monotonic() - began)
    queries = LoadGenQueries([], [], [], [])
    first_ns, number = time.monotonic_ns(), 0

    def answer(samples: Sequence[Any]) -> None:
        nonlocal number
        asked_ns = time.monotonic_ns()
        for sample in samples:
            if interrupted():
                raise KeyboardInterrupt
            result = analyser.analyse(replace(frames[sample.index], captured_ns=time.monotonic_ns()))
            loadgen.QuerySamplesComplete([loadgen.QuerySampleResponse(sample.id, 0, 0)])
            now = time.monotonic_ns()
            queries.answered_s.append((now - first_ns) / 1e9)
            queries.latency_ms.append((now - asked_ns) / 1e6)
            queries.result.append(
                result.status.value if result.reason is None else f"{result.status.value}: {result.reason.value}"
            )
            queries.query.append(number)
            progress((now - first_ns) / 1e9, len(queries.result))
        number += 1

    with tempfile.TemporaryDirectory(prefix="sonoedge-loadgen-") as folder:
        sut = loadgen.ConstructSUT(answer, lambda: None)
        library = loadgen.ConstructQSL(len(frames), len(frames), lambda _: None, lambda _: None)
        stopped = False
        try:
            loadgen.StartTestWithLogSettings(
                sut, library, _test(loadgen, scenario, rules, speed), _log(loadgen, folder), "no-audit.config"
            )
        except KeyboardInterrupt:
            stopped = True
        finally:
            loadgen.DestroyQSL(library)
            loadgen.DestroySUT(sut)
        values = read_log(Path(folder) / "mlperf_log_detail.txt")
    return _result(values, scenario, rules, queries, stopped), queries, stopped


def _test(loadgen: Any, scenario: str, rules: LoadGenRules, speed: float) -> Any:
    test = loadgen.TestSettings()
    test.mode = loadgen.TestMode.PerformanceOnly
    test.min_duration_ms = round(rules.min_seconds * 1000)
    test.min_query_count = rules.min_queries[scenario]
    if scenario == "single-stream":
        test.scenario = loadgen.TestScenario.SingleStream
        test.single_stream_expected_latency_ns = round(1e9 / speed)
    elif scenario == "multi-stream":
        test.scenario = loadgen.TestScenario.MultiStream
        test.multi_stream_samples_per_query = FRAMES_PER_QUERY[scenario]
        test.multi_stream_expected_latency_ns = round(FRAMES_PER_QUERY[scenario] * 1e9 / speed)
    else:
        test.scenario = loadgen.TestScenario.Offline
        # LoadGen makes the one query as long as the run must be, by this guess; a little more, so that it is.
        test.offline_expected_qps = 1.1 * speed
    return test


def _log(loadgen: Any, folder: str) -> Any:
    log = loadgen.LogSettings()
    log.enable_trace = False
    log.log_output.outdir = folder
    log.log_output.copy_summary_to_stdout = False
    log.log_output.copy_detail_to_stdout = False
    return log


def _result(
    values: dict[str, Any], scenario: str, rules: LoadGenRules, queries: LoadGenQueries, stopped: bool
) -> LoadGenResult:
    percentiles = percentiles_of(values)
    metric = {
        "single-stream": percentiles.get("p90"),
        "multi-stream": percentiles.get("p99"),
        "offline": values.get("result_samples_per_second"),
    }[scenario]
    reasons = []
    if stopped:
        reasons.append("ended by Ctrl-C")
    elif values.get("result_validity") != "VALID":
        reason = values.get("result_invalid_reason")
        reasons.append(
            str(reason) if reason else "LoadGen calls it invalid: see early stopping, or the run was too short"
        )
    lost = sum(word.startswith(Status.NO_RESULT.value) for word in queries.result)
    if lost:
        reasons.append(f"{lost} of {len(queries.result)} frames had no result")
    return LoadGenResult(
        scenario=scenario,
        rules=rules.describe(scenario),
        version=version("mlcommons-loadgen"),
        valid=not reasons,
        reasons=reasons,
        queries=queries.query[-1] + 1 if queries.query else 0,
        samples_per_query=FRAMES_PER_QUERY.get(scenario, len(queries.result)),
        metric=METRICS[scenario],
        value=None if metric is None or stopped else float(metric),
        percentiles_ms={} if stopped or scenario == "offline" else percentiles,
        early_stopping=" ".join(str(values.get("early_stopping_result", "")).replace("*", " ").split()),
    )
