"""Benchmark report as it stands in its JSON file (``benchmark/1``). None: not measured, never zero."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from edge.bench.loadgen_result import LoadGenResult
from edge.bench.machine_description import MachineDescription
from edge.bench.process_memory import ProcessMemory
from edge.bench.quantile_intervals import QuantileSummary
from edge.bench.startup import Startup
from edge.bench.sustained import MinuteSummary
from edge.bench.sweep import SweepRow
from edge.bench.throughput import Throughput
from edge.contracts.decoding import UnreadableError, decode_json
from edge.contracts.errors import DeviceError, UsageError
from edge.contracts.finding import ModelRef

if TYPE_CHECKING:
    from pathlib import Path

Kind = Literal["path", "sustained", "single-stream", "multi-stream", "offline", "sweep"]


class BenchmarkSetup(msgspec.Struct, frozen=True, kw_only=True):
    """Set-up of a benchmark run: model, runtime, source, broker."""

    model: ModelRef
    runtime: str
    """URI."""
    isolated: bool
    """The runtime ran in a process of its own, as in a daemon."""
    source: str
    """Where the frames came from, without file names."""
    streams: int
    fps: float | None
    """Frames a second of each stream; None: as fast as it went, or as the source gave them."""
    deadline_ms: float | None
    """A frame whose result comes later has missed it; None: there is none."""
    warm_up: int
    """Frames at the beginning that stand in the samples, and in no number."""
    broker: str | None
    """Which one acknowledged; None: none did."""
    outbox: str | None
    """File system that the outbox was on; None: no outbox took part, or it is not known."""


class FrameCounts(msgspec.Struct, frozen=True, kw_only=True):
    """Counts of what became of the frames after the warm-up.

    Times are of frames that were computed to their end only.
    """

    answered: int
    results: dict[str, int]
    """By result, with the reason where there is one."""
    uncomputed: int
    """Of the answered ones: refused before the runtime (``abstained: black``), or without a result."""
    dropped: int
    """Captured and never judged, because newer ones came."""
    late: int | None
    """With a result after the deadline."""
    missed: int | None
    """Late, dropped, or without a result: all that did not make the deadline."""
    unacknowledged: int
    """Their message had not arrived some seconds after the end."""
    unrecorded: int
    """Messages that the outbox had no room for."""
    restarts: int
    """Of the runtime, which hung or died."""
    fallback: bool
    """Another runtime than the one named computed at the end."""

    @property
    def no_result(self) -> int:
        """Number of frames that could not be computed."""
        return sum(number for word, number in self.results.items() if word.startswith("no_result"))


class BenchmarkReport(msgspec.Struct, frozen=True, kw_only=True):
    """Report of one run of ``edge-cli benchmark``."""

    schema: Literal["benchmark/1"] = "benchmark/1"
    kind: Kind
    at: str
    """UTC, RFC 3339."""
    interrupted: bool = False
    """Ended by Ctrl-C: what was measured until then."""
    machine: MachineDescription
    setup: BenchmarkSetup
    startup: Startup | None = None
    stages: dict[str, QuantileSummary | None] = {}
    """By stage, in milliseconds, after the warm-up."""
    notes: dict[str, str] = {}
    """Why a stage has no number, or what it stands for here."""
    frames: FrameCounts | None = None
    throughput: Throughput | None = None
    """As fast as it goes, in a run of its own."""
    memory: ProcessMemory | None = None
    minutes: list[MinuteSummary] = []
    loadgen: LoadGenResult | None = None
    sweep: list[SweepRow] = []
    samples: dict[str, list[Any]] = {}
    """Raw, a list a column, a place in it for each frame (or query)."""


def write_json(path: Path, report: BenchmarkReport) -> None:
    """Write ``report`` to a JSON file. Raises `DeviceError` if that cannot be done."""
    try:
        path.write_bytes(msgspec.json.encode(report) + b"\n")
    except OSError as error:
        raise DeviceError(f"{path} cannot be written: {error.strerror}", hint="give another place") from None


def read_json(path: Path) -> BenchmarkReport:
    """Read a report from a JSON file. Raises `UsageError` if there is none, or if the file is something else."""
    try:
        return decode_json(sys.stdin.buffer.read() if str(path) == "-" else path.read_bytes(), BenchmarkReport)
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}", hint="make one with --json FILE") from None
    except UnreadableError as error:
        raise UsageError(f"{path} is no report of a benchmark: {error}", hint="make one with --json FILE") from None
