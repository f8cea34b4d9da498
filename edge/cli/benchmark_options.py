"""Options of ``edge-cli benchmark``: their help texts, their checks, and their values parsed."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

LONGEST_S = 6 * 3600.0
SCENARIOS = ("single-stream", "multi-stream", "offline")
RULES = ("mobile-quick", "mobile", "inference")

Sources = Annotated[list[str] | None, typer.Option(help="URI of a source; default: ready phantom frames.")]
Runtimes = Annotated[list[str] | None, typer.Option(help="URI of the runtime; with --sweep, may be repeated.")]
Models = Annotated[list[Path] | None, typer.Option(help="Model bundle; with --sweep, may be repeated.")]
Broker = Annotated[str | None, typer.Option(help="URI of a broker, for the acknowledgement.")]
NoBroker = Annotated[bool, typer.Option("--no-broker", help="Start no broker either.")]
FramesPerSecond = Annotated[
    float | None,
    typer.Option(min=0.0, max=1000.0, help="Of the phantom frames, each stream; 0: as fast as it goes."),
]
Frames = Annotated[int, typer.Option(min=1, help="To measure, of all streams together.")]
WarmUp = Annotated[int, typer.Option(min=0, help="Frames before them, which count in no number.")]
Streams = Annotated[int, typer.Option(min=1, max=32, help="Of phantom frames, at once.")]
Deadline = Annotated[float | None, typer.Option(min=0.1, help="For a result; default: until the next frame.")]
Sustained = Annotated[str | None, typer.Option(help="So long (90s, 10m, 1h), minute by minute with sensors.")]
Scenario = Annotated[str | None, typer.Option(help="By LoadGen: single-stream, multi-stream, offline.")]
LoadGenRules = Annotated[str, typer.Option(help="LoadGen's: mobile-quick, mobile, inference.")]
Sweep = Annotated[bool, typer.Option("--sweep", help="Threads x runtimes x models, in one table.")]
Threads = Annotated[str | None, typer.Option(help="For --sweep: 1,2,4; default: 1, 2, 4 up to the cores.")]
StateDir = Annotated[Path | None, typer.Option(help="Where the outbox is made; its disk is measured too.")]
ConfigFile = Annotated[Path | None, typer.Option(help="TOML file; see edge-cli config init.")]
JsonFile = Annotated[Path | None, typer.Option(help="Write everything to this file (- for stdout), raw samples too.")]
CsvFile = Annotated[Path | None, typer.Option(help="Write the raw samples to this file (- for stdout), a row a frame.")]
PictureFile = Annotated[Path | None, typer.Option(help="Write distribution and timeline to this .svg file.")]


@dataclass(frozen=True, slots=True, kw_only=True)
class BenchmarkOptions:
    """Values of all options of ``edge-cli benchmark``, as the user gave them."""

    source: Sources
    runtime: Runtimes
    model: Models
    broker: Broker
    no_broker: NoBroker
    fps: FramesPerSecond
    frames: Frames
    warm_up: WarmUp
    streams: Streams
    deadline_ms: Deadline
    sustained: Sustained
    scenario: Scenario
    rules: LoadGenRules
    sweep: Sweep
    threads: Threads
    state_dir: StateDir
    config: ConfigFile
    json: JsonFile
    csv: CsvFile
    picture: PictureFile

    def check(self) -> None:
        """Raise `UsageError` for options that do not go together, or name what does not exist."""
        from edge.contracts.errors import UsageError

        by_option = (("--sustained", self.sustained), ("--scenario", self.scenario), ("--sweep", self.sweep))
        modes = [name for name, on in by_option if on]
        if len(modes) > 1:
            raise UsageError(f"{' and '.join(modes)} are different runs", hint="give one of them")
        if not self.sweep and (len(self.runtime or []) > 1 or len(self.model or []) > 1 or self.threads is not None):
            raise UsageError("several runtimes, models or numbers of threads are for --sweep", hint="give --sweep too")
        if modes and modes[0] != "--sustained" and (self.source or self.broker or self.fps is not None):
            raise UsageError(
                f"{modes[0]} runs on ready phantom frames, without a broker, as fast as it goes",
                hint="leave --source, --broker and --fps out",
            )
        if self.scenario is not None and self.scenario not in SCENARIOS:
            raise UsageError(f"there is no scenario {self.scenario!r}", hint=f"there are: {', '.join(SCENARIOS)}")
        if self.rules not in RULES:
            raise UsageError(f"there are no rules {self.rules!r}", hint=f"there are: {', '.join(RULES)}")
        self._check_files()

    def _check_files(self) -> None:
        from edge.contracts.errors import UsageError

        if self.picture is not None and (self.picture.suffix.lower() != ".svg" or self.sweep):
            raise UsageError("the picture is an .svg file, of one run", hint="for example --picture now.svg")
        if self.json == self.csv == Path("-"):
            raise UsageError("--json - and --csv - both write to stdout", hint="give one of them a file")
        for file in (self.json, self.csv, self.picture):
            if file is not None and not file.resolve().parent.is_dir():
                raise UsageError(f"there is no folder {file.resolve().parent}", hint="make it, or give another place")


def parse_duration(words: str) -> float:
    """Seconds of ``90s``, ``10m`` or ``1h``; raises `UsageError` for anything else."""
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
