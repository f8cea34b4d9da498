"""``edge-cli benchmark``: how fast, how sure, and on what."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from edge.cli.errors import INTERRUPTED, printing

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
LONGEST_S = 6 * 3600.0
SCENARIOS = ("single-stream", "multi-stream", "offline")
RULES = ("mobile-quick", "mobile", "inference")

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
    source: Annotated[list[str] | None, typer.Option(help="URI of a source; default: ready phantom frames.")] = None,
    runtime: Annotated[
        list[str] | None, typer.Option(help="URI of the runtime; with --sweep, may be repeated.")
    ] = None,
    model: Annotated[list[Path] | None, typer.Option(help="Model bundle; with --sweep, may be repeated.")] = None,
    broker: Annotated[str | None, typer.Option(help="URI of a broker, for the acknowledgement.")] = None,
    no_broker: Annotated[bool, typer.Option("--no-broker", help="Start no broker either.")] = False,
    fps: Annotated[
        float | None,
        typer.Option(min=0.0, max=1000.0, help="Of the phantom frames, each stream; 0: as fast as it goes."),
    ] = None,
    frames: Annotated[int, typer.Option(min=1, help="To measure, of all streams together.")] = 600,
    warm_up: Annotated[int, typer.Option(min=0, help="Frames before them, which count in no number.")] = 30,
    streams: Annotated[int, typer.Option(min=1, max=32, help="Of phantom frames, at once.")] = 1,
    deadline_ms: Annotated[
        float | None, typer.Option(min=0.1, help="For a result; default: until the next frame.")
    ] = None,
    sustained: Annotated[
        str | None, typer.Option(help="So long (90s, 10m, 1h), minute by minute with sensors.")
    ] = None,
    scenario: Annotated[str | None, typer.Option(help="By LoadGen: single-stream, multi-stream, offline.")] = None,
    rules: Annotated[str, typer.Option(help="LoadGen's: mobile-quick, mobile, inference.")] = "mobile-quick",
    sweep: Annotated[bool, typer.Option("--sweep", help="Threads x runtimes x models, in one table.")] = False,
    threads: Annotated[str | None, typer.Option(help="For --sweep: 1,2,4; default: 1, 2, 4 up to the cores.")] = None,
    state_dir: Annotated[Path | None, typer.Option(help="Where the outbox is made; its disk is measured too.")] = None,
    config: Annotated[Path | None, typer.Option(help="TOML file; see edge-cli config init.")] = None,
    json: Annotated[Path | None, typer.Option(help="Write everything to this file, raw samples too.")] = None,
    csv: Annotated[Path | None, typer.Option(help="Write the raw samples to this file, a row a frame.")] = None,
    picture: Annotated[Path | None, typer.Option(help="Write distribution and timeline to this .svg file.")] = None,
) -> int:
    """Run what was asked for."""
    if ctx.invoked_subcommand is not None:
        return 0
    from edge.contracts.errors import UsageError

    modes = [name for name, on in (("--sustained", sustained), ("--scenario", scenario), ("--sweep", sweep)) if on]
    if len(modes) > 1:
        raise UsageError(f"{' and '.join(modes)} are different runs", hint="give one of them")
    if not sweep and (len(runtime or []) > 1 or len(model or []) > 1 or threads is not None):
        raise UsageError("several runtimes, models or numbers of threads are for --sweep", hint="give --sweep too")
    if modes and modes[0] != "--sustained" and (source or broker or fps is not None):
        raise UsageError(
            f"{modes[0]} runs on ready phantom frames, without a broker, as fast as it goes",
            hint="leave --source, --broker and --fps out",
        )
    if scenario is not None and scenario not in SCENARIOS:
        raise UsageError(f"there is no scenario {scenario!r}", hint=f"there are: {', '.join(SCENARIOS)}")
    if rules not in RULES:
        raise UsageError(f"there are no rules {rules!r}", hint=f"there are: {', '.join(RULES)}")
    if picture is not None and (picture.suffix.lower() != ".svg" or sweep):
        raise UsageError("the picture is an .svg file, of one run", hint="for example --picture now.svg")
    for file in (json, csv, picture):
        if file is not None and not file.resolve().parent.is_dir():
            raise UsageError(f"there is no folder {file.resolve().parent}", hint="make it, or give another place")
    seconds = None if sustained is None else parse_duration(sustained)
    counts = parse_threads(threads)
    settings = load(config, source, runtime, model)
    if broker is not None:
        require_broker(broker)

    import cv2

    from edge.bench.report import write_json
    from edge.bench.run import BenchmarkRequest, benchmark, swept
    from edge.bench.run import scenario as run_scenario
    from edge.bench.samples import write_csv
    from edge.cli.progress import Bar

    cv2.setNumThreads(1)  # as in the daemon: the cores belong to the runtime
    bar = Bar()
    try:
        if sweep:
            report = swept(settings, model or [None], runtime or [], counts, bar.show)
        elif scenario is not None:
            report = run_scenario(settings, scenario, rules, bar.show)  # type: ignore[arg-type]  # one of SCENARIOS
        else:
            default_fps = 30.0 if seconds is None else 0.0
            request = BenchmarkRequest(
                settings=settings,
                broker=broker,
                own_broker=not no_broker,
                fps=default_fps if fps is None else fps,
                streams=streams,
                deadline_ms=deadline_ms,
                frames=frames,
                warm_up=warm_up,
                sustained_s=seconds,
                state_dir=state_dir,
            )
            report = benchmark(request, bar.show)
    finally:
        bar.clear()
    show(report)
    if json is not None:
        write_json(json, report)
    if csv is not None:
        write_csv(csv, report.samples)
    if picture is not None:
        from edge.bench.chart import write_svg

        write_svg(picture, report)
    return exit_code(report)


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


def parse_duration(words: str) -> float:
    """Seconds of ``90s``, ``10m``, ``1h``; raises `UsageError` for anything else."""
    from edge.contracts.errors import UsageError

    found = re.fullmatch(r"(\d+(?:\.\d+)?)([smh])", words.strip())
    seconds = float(found[1]) * {"s": 1, "m": 60, "h": 3600}[found[2]] if found else 0.0
    if not 1.0 <= seconds <= LONGEST_S:
        raise UsageError(f"{words!r} is no length of time from 1s to 6h", hint="for example --sustained 10m")
    return seconds


def parse_threads(words: str | None) -> list[int]:
    """Numbers of ``1,2,4``; None: 1, 2, 4 as far as there are cores. Raises `UsageError`."""
    import os

    from edge.contracts.errors import UsageError

    if words is None:
        cores = len(os.sched_getaffinity(0))
        return [number for number in (1, 2, 4) if number <= max(1, cores)]
    try:
        numbers = [int(word) for word in words.split(",")]
    except ValueError:
        numbers = []
    if not numbers or not all(1 <= number <= 64 for number in numbers):
        raise UsageError(f"{words!r} is no list of numbers of threads", hint="for example --threads 1,2,4")
    return numbers


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
    }
    if "EDGE_LOG__LEVEL" not in os.environ:
        flags["log.level"] = "error"  # what goes wrong is in the table
    settings = load_settings(config, overrides=flags)
    require_plugins(settings)
    set_up_logs(settings.log)
    return settings


def require_broker(uri: str) -> None:
    """Raise `EdgeError` for what is no broker, or one whose account cannot be used."""
    from edge.config.settings import SinkSettings
    from edge.config.uri import parse_uri
    from edge.contracts.errors import UsageError
    from edge.sinks.mqtt.credentials import read_credentials

    if parse_uri(uri).scheme not in ("mqtt", "mqtts"):
        raise UsageError(f"{parse_uri(uri).scheme}:// is no broker", hint="for example --broker mqtt://localhost:1883")
    read_credentials(SinkSettings(uri=uri))


def show(report: BenchmarkReport) -> None:
    """Print the table."""
    from edge.bench.text_report import text

    with printing():
        for line in text(report):
            print(line)


def exit_code(report: BenchmarkReport) -> int:
    """A failure must not read as a fast result."""
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
    """Print what `compare` found."""
    from edge.bench.text_report import number

    print(f"{'':<26}{'A':>9}{'B':>9}{'B/A':>8}   interval         B is")
    for line in outcome.lines:
        ratio = line.ratio
        span = f"{ratio.low:.3f} to {ratio.high:.3f}"
        print(f"{line.name:<26}{number(line.a):>9}{number(line.b):>9}{ratio.value:>8.3f}   {span:<17}{line.verdict}")
    for span, share in outcome.slower_share.items():
        print(f"a frame of B is slower than one of A in {share:.1%} of all pairs ({span}; Mann-Whitney)")
    for words in outcome.differences:
        print(f"differs: {words}")
    for words in outcome.worse:
        print(f"worse: {words}")
    verdict = "REGRESSION" if outcome.regression else "no regression"
    print(f"{verdict}, at a tolerance of {tolerance:.0%}; times in ms, 95 % confidence over all lines together")
