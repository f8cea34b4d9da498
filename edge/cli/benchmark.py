"""``edge-cli benchmark``: measures latency and throughput of the frame path, and compares two reports."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from edge.cli import benchmark_options as options
from edge.cli.errors import INTERRUPTED, printing, require_stdout
from edge.cli.output import print_json
from edge.cli.paths import DASH

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edge.bench.compare import BenchmarkComparison
    from edge.bench.report import BenchmarkReport
    from edge.config.settings import Settings

UNANSWERED = 5
"""Exit code if some frame had no result, or the answers are not the model's: as `edge-cli infer`."""
UNACKNOWLEDGED = 6
"""Exit code if the broker did not acknowledge all."""
REGRESSION = 7
"""Exit code of ``compare`` if B is worse."""

HELP = """Measure how long a frame takes, from its capture to the broker's acknowledgement.

Runs the daemon's own loop on ready phantom frames (or --source), at --fps, then as fast as it goes, and tells each
stage's quantiles with 95 % intervals, misses, memory, what the accelerator took, and the golden vectors. Without a
broker (--broker, mosquitto or iotcore) the acknowledgement is not measured, and the table says so.

Exit code 0: measured; 5: some frames had no result; 6: not all were acknowledged; 130: ended by Ctrl-C, what was
measured so far is shown. docs/benchmark.md says what each number means.

Example:
  edge-cli benchmark
  edge-cli benchmark --fps 60 --frames 4000 --json now.json --picture now.svg
  edge-cli benchmark --broker mqtt://localhost:1883 --runtime 'litert://?threads=2'
  edge-cli benchmark --sustained 10m
  edge-cli benchmark --scenario single-stream --rules mobile
  edge-cli benchmark --sweep --threads 1,2,4
  edge-cli benchmark compare before.json now.json
"""

app = typer.Typer(help=HELP, invoke_without_command=True)


@app.callback(invoke_without_command=True)
def measure(
    ctx: typer.Context,
    source: options.Sources = None,
    runtime: options.Runtimes = None,
    model: options.Models = None,
    broker: options.Broker = None,
    no_broker: options.NoBroker = False,
    fps: options.FramesPerSecond = None,
    frames: options.Frames = 600,
    warm_up: options.WarmUp = 30,
    streams: options.Streams = 1,
    deadline_ms: options.Deadline = None,
    sustained: options.Sustained = None,
    scenario: options.Scenario = None,
    rules: options.LoadGenRules = "mobile-quick",
    sweep: options.Sweep = False,
    threads: options.Threads = None,
    state_dir: options.StateDir = None,
    config: options.ConfigFile = None,
    json: options.JsonFile = None,
    csv: options.CsvFile = None,
    picture: options.PictureFile = None,
) -> int:
    """Run the benchmark that the options ask for, print its table, and write its files."""
    if ctx.invoked_subcommand is not None:
        return 0
    given = options.BenchmarkOptions(
        source=source, runtime=runtime, model=model, broker=broker, no_broker=no_broker, fps=fps, frames=frames,
        warm_up=warm_up, streams=streams, deadline_ms=deadline_ms, sustained=sustained, scenario=scenario,
        rules=rules, sweep=sweep, threads=threads, state_dir=state_dir, config=config, json=json, csv=csv,
        picture=picture,
    )  # fmt: skip
    given.check()
    if DASH in (given.json, given.csv):
        require_stdout()
    report = run_benchmark(given)
    if DASH not in (given.json, given.csv):
        show(report)
    write_files(report, given)
    return exit_code(report)


def run_benchmark(given: options.BenchmarkOptions) -> BenchmarkReport:
    """Report of the run that checked options ask for, with a progress bar meanwhile. Raises `EdgeError`."""
    seconds = None if given.sustained is None else options.parse_duration(given.sustained)
    counts = options.parse_threads(given.threads)
    settings = load(given.config, given.source, given.runtime, given.model)
    if given.broker is not None:
        require_broker(given.broker)

    import cv2

    from edge.bench.run import BenchmarkRequest, benchmark, run_scenario, run_sweep
    from edge.cli.progress import ProgressBar

    cv2.setNumThreads(1)  # as in the daemon: the cores belong to the runtime
    bar = ProgressBar()
    try:
        if given.sweep:
            return run_sweep(settings, given.model or [None], given.runtime or [], counts, bar.show)
        if given.scenario is not None:
            return run_scenario(settings, given.scenario, given.rules, bar.show)  # type: ignore[arg-type]  # one of SCENARIOS
        default_fps = 30.0 if seconds is None else 0.0
        request = BenchmarkRequest(
            settings=settings,
            broker=given.broker,
            own_broker=not given.no_broker,
            fps=default_fps if given.fps is None else given.fps,
            streams=given.streams,
            deadline_ms=given.deadline_ms,
            frames=given.frames,
            warm_up=given.warm_up,
            sustained_s=seconds,
            state_dir=given.state_dir,
        )
        return benchmark(request, bar.show)
    finally:
        bar.clear()


def write_files(report: BenchmarkReport, given: options.BenchmarkOptions) -> None:
    """Write the JSON, CSV and SVG files that were asked for. Raises `DeviceError` if one cannot be written."""
    import msgspec

    from edge.bench.report import write_json
    from edge.bench.samples import write_csv, write_rows

    with printing():
        if given.json == DASH:
            print_json(msgspec.json.encode(report).decode())
        if given.csv == DASH:
            write_rows(sys.stdout, report.samples)
    if given.json not in (None, DASH):
        write_json(given.json, report)
    if given.csv not in (None, DASH):
        write_csv(given.csv, report.samples)
    if given.picture is not None:
        from edge.bench.chart import write_svg

        write_svg(given.picture, report)


@app.command()
def compare(
    before: Annotated[Path, typer.Argument(help="Report A, made with --json.", metavar="A.json")],
    after: Annotated[Path, typer.Argument(help="Report B.", metavar="B.json")],
    tolerance: Annotated[
        float, typer.Option(min=0.0, max=10.0, help="Share by which B may be slower: 0.05 is 5 %.")
    ] = 0.05,
    anyway: Annotated[bool, typer.Option("--anyway", help="Compare runs of different models or kinds too.")] = False,
) -> int:
    """Say whether report B is slower than report A, and how sure that is.

    Ratios of p50, p90 and p99 and of the time a frame, B over A, with intervals by the moving-block bootstrap, at 95 %
    for all of them together. B is a regression if an interval lies wholly over 1 + tolerance, or if more of its frames
    had no result, were not acknowledged or missed their deadline.

    Exit code 0: no regression; 7: a regression.

    Example:
      edge-cli benchmark compare before.json now.json
      edge-cli benchmark compare before.json now.json --tolerance 0.1
    """
    from edge.bench.compare import compare as compare_reports
    from edge.bench.report import read_json

    outcome = compare_reports(read_json(before), read_json(after), tolerance, anyway=anyway)
    with printing():
        show_comparison(outcome, tolerance)
    return REGRESSION if outcome.regression else 0


def load(
    config: Path | None, source: Sequence[str] | None, runtime: Sequence[str] | None, model: Sequence[Path] | None
) -> Settings:
    """Settings as `edge-cli run` would have them, with no streams but those of --source. Raises `EdgeError`."""
    import os

    from edge.app.logs import set_up_logs
    from edge.cli.run import require_plugins
    from edge.config.load import load_settings, streams_from_sources

    flags: dict[str, Any] = {
        "runtime.uri": runtime[0] if runtime else None,
        "model": model[0] if model else None,
        "streams": streams_from_sources(source) if source else [],
        "sinks": [],
        "gate.none_allowed": True,  # times are measured; nothing is judged for anybody
    }
    if "EDGE_LOG__LEVEL" not in os.environ:
        flags["log.level"] = "error"  # what goes wrong is in the table
    settings = load_settings(config, overrides=flags)
    require_plugins(settings)
    set_up_logs(settings.log)
    return settings


def require_broker(uri: str) -> None:
    """Raise `EdgeError` for a URI of what is no broker, or whose user name and password cannot be used."""
    from edge.config.settings import SinkSettings
    from edge.config.uri import parse_uri
    from edge.contracts.errors import UsageError
    from edge.sinks.mqtt.credentials import read_credentials

    if parse_uri(uri, "sinks").scheme not in ("mqtt", "mqtts"):
        raise UsageError(f"{parse_uri(uri).scheme}:// is no broker", hint="for example --broker mqtt://localhost:1883")
    read_credentials(SinkSettings(uri=uri))


def show(report: BenchmarkReport) -> None:
    """Print the table of a report on stdout. Raises `DeviceError` if that cannot be written."""
    from edge.bench.text_report import report_lines

    with printing():
        for line in report_lines(report):
            print(line)


def exit_code(report: BenchmarkReport) -> int:
    """Exit code of a finished run: a failure must not read as a fast result."""
    frames = report.frames
    if report.interrupted:
        return INTERRUPTED
    if frames is not None and (frames.no_result or frames.uncomputed == frames.answered):
        return UNANSWERED
    if report.throughput is not None and report.throughput.failed > (frames.uncomputed if frames else 0):
        return UNANSWERED
    if frames is not None and (frames.unacknowledged or frames.unrecorded):
        return UNACKNOWLEDGED
    if report.loadgen is not None and not report.loadgen.valid:
        return UNANSWERED
    if report.sweep and all(row.problem is not None for row in report.sweep):
        return UNANSWERED
    return 0


def show_comparison(outcome: BenchmarkComparison, tolerance: float) -> None:
    """Print the table of a comparison, its differences and its verdict."""
    from edge.bench.text_report import format_number

    print(f"{'':<26}{'A':>9}{'B':>9}{'B/A':>8}   interval         B is")
    for line in outcome.lines:
        ratio = line.ratio
        span = f"{ratio.low:.3f} to {ratio.high:.3f}"
        a, b = format_number(line.a), format_number(line.b)
        print(f"{line.name:<26}{a:>9}{b:>9}{ratio.value:>8.3f}   {span:<17}{line.verdict}")
    for span, share in outcome.slower_share.items():
        print(f"a frame of B is slower than one of A in {share:.1%} of all pairs ({span}; Mann-Whitney)")
    for words in outcome.differences:
        print(f"differs: {words}")
    for words in outcome.worse:
        print(f"worse: {words}")
    verdict = "REGRESSION" if outcome.regression else "no regression"
    print(f"{verdict}, at a tolerance of {tolerance:.0%}; times in ms, 95 % confidence over all lines together")
