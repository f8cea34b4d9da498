"""Simulates seeded schedules of faults on a device, as many as you like, and says which of them break a promise.

    python benchmarks/simulate_schedules.py --schedules 1000000 --seed 1 --json simulation.json
    python benchmarks/simulate_schedules.py --replay 2520

The product's own publisher, outbox, MQTT sink and ledger run over a simulated clock, disk, client and broker, without
threads or sleeps; see `docs/simulation.md` for what happens to them and what is checked. What is done is written to the
JSON file after every few schedules: the same command goes on from there. A failed schedule is named by its seed, and
``--replay`` prints what happened in it. Exit code 1 if any failed; 2 if the file is of another seed, or none of ours.
"""

from __future__ import annotations

import argparse
import json
import logging
import multiprocessing
import os
import sys
import time
from collections import Counter
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, NoReturn

sys.path.append(str(Path(__file__).parents[1] / "tests"))

import msgspec
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from simulation.installed import installed
from simulation.places import simulation_folder
from simulation.schedule import from_seed
from simulation.simulation import simulate

CHUNK = 100
"""Schedules that a process simulates at a time."""
FAILURES_NAMED = 100
"""Failures that are written down; more are counted."""


@dataclass
class SimulationTally:
    """What was simulated until now, as the JSON file has it."""

    first_seed: int
    next_seed: int
    schedules: int = 0
    messages: int = 0
    repeats: int = 0
    connections: int = 0
    simulated_hours: float = 0.0
    longest_pass_s: float = 0.0
    processor_s: float = 0.0
    broken: dict[str, int] = field(default_factory=dict)
    """Invariant -> in how many schedules it did not hold."""
    failures: list[dict[str, Any]] = field(default_factory=list)

    def add(self, other: dict[str, Any]) -> None:
        """Add what one chunk came to."""
        for name in ("schedules", "messages", "repeats", "connections", "simulated_hours", "processor_s"):
            setattr(self, name, getattr(self, name) + other[name])
        self.longest_pass_s = max(self.longest_pass_s, other["longest_pass_s"])
        self.next_seed += other["schedules"]
        self.broken = dict(Counter(self.broken) + Counter(other["broken"]))
        self.failures = (self.failures + other["failures"])[:FAILURES_NAMED]


def main() -> int:
    options = parse()
    if options.replay is not None:
        return replay(options.replay)
    os.nice(options.nice)
    place = Path(options.json)
    tally = begun(place, options.seed)
    deadline = time.monotonic() + 60 * options.minutes
    end = tally.first_seed + options.schedules
    starts = range(tally.next_seed, end, CHUNK)
    chunks = [(one, min(one + CHUNK, end)) for one in starts]
    context = multiprocessing.get_context("spawn")
    with bar() as progress, context.Pool(options.jobs) as pool:
        task = progress.add_task("", total=options.schedules, completed=tally.schedules, failed=0)
        for result in pool.imap(simulate_chunk, chunks):
            tally.add(result)
            write(place, tally)
            progress.update(task, completed=tally.schedules, failed=sum(tally.broken.values()))
            if time.monotonic() > deadline:
                pool.terminate()
                break
    return report(tally)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--schedules", type=int, default=10_000, help="how many in all, those of earlier runs included")
    parser.add_argument(
        "--seed", type=int, help="seed of the first; the next have the next numbers; default: that of the file, or 1"
    )
    parser.add_argument("--minutes", type=float, default=1e9, help="stop after so long; the same command goes on")
    parser.add_argument("--jobs", type=int, default=len(os.sched_getaffinity(0)), help="processes")
    parser.add_argument("--nice", type=int, default=10, help="how much others on this machine go first")
    parser.add_argument(
        "--json", default="simulation.json", help="file that says what was done, and from where to go on"
    )
    parser.add_argument("--replay", type=int, metavar="SEED", help="print what happens in one schedule")
    return parser.parse_args()


def begun(place: Path, seed: int | None) -> SimulationTally:
    """What the JSON file says was done, or nothing yet. Ends the program if it is no such file, or of another seed."""
    if not place.parent.is_dir():
        refuse(f"there is no folder {place.parent}")
    if not place.exists():
        first = 1 if seed is None else seed
        return SimulationTally(first, first)
    try:
        tally = msgspec.json.decode(place.read_bytes(), type=SimulationTally)
    except (OSError, msgspec.MsgspecError) as error:
        refuse(f"{place} is no file of this program: {error}")
    if seed not in (None, tally.first_seed):
        refuse(f"{place} was begun with seed {tally.first_seed}, not {seed}")
    print(f"going on from seed {tally.next_seed}", file=sys.stderr)
    return tally


def refuse(what: str) -> NoReturn:
    """End the program with two lines and exit code 2: 1 is that of a promise that was not kept."""
    print(f"error: {what}\nhint: name another file with --json, or remove this one", file=sys.stderr)
    sys.exit(2)


def bar() -> Progress:
    columns = (BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[failed]} failed"), TimeRemainingColumn())
    return Progress(*columns, disable=not sys.stderr.isatty())


def simulate_chunk(seeds: tuple[int, int]) -> dict[str, Any]:
    """Simulate the schedules of some seeds; what they came to."""
    part, broken, began = SimulationTally(seeds[0], seeds[0]), Counter[str](), time.process_time()
    with simulation_folder() as folder, installed():
        for seed in range(*seeds):
            outcome = simulate(from_seed(seed), folder)
            part.schedules += 1
            part.messages += outcome.messages
            part.repeats += outcome.repeats
            part.connections += outcome.connections
            part.simulated_hours += outcome.simulated_s / 3600
            part.longest_pass_s = max(part.longest_pass_s, outcome.longest_pass_s)
            broken.update({one.invariant for one in outcome.violations})
            if outcome.violations:
                part.failures.append({"seed": seed, **outcome.violations[0]._asdict()})
    part.processor_s = time.process_time() - began
    part.broken = dict(broken)
    return asdict(part)


def write(place: Path, tally: SimulationTally) -> None:
    draft = place.with_name(place.name + ".new")
    draft.write_text(json.dumps(asdict(tally), indent=1) + "\n", "utf-8")
    draft.replace(place)


def report(tally: SimulationTally) -> int:
    rate = tally.schedules / tally.processor_s if tally.processor_s else 0.0
    parts = (
        f"{tally.schedules} schedules from seed {tally.first_seed} on", f"{tally.messages} messages",
        f"{tally.repeats} repeats", f"{tally.connections} connections", f"{tally.simulated_hours:.0f} hours",
        f"longest pass {tally.longest_pass_s:.3f} s", f"{rate:.0f} schedules a second of processor time",
    )  # fmt: skip
    print(", ".join(parts))
    for invariant, count in sorted(tally.broken.items()):
        print(f"  {invariant} did not hold in {count} schedules")
    for one in tally.failures[:10]:
        print(f"  seed {one['seed']}: {one['invariant']}: {one['detail']}")
    return int(bool(tally.broken))


def replay(seed: int) -> int:
    """Print one schedule, what happened in it, and what did not hold."""
    schedule = from_seed(seed)
    print(schedule.setup)
    with simulation_folder() as folder, installed():
        logging.getLogger("edge").setLevel(logging.INFO)
        outcome = simulate(schedule, folder, keep_trace=True)
    print("\n".join(outcome.trace))
    for one in outcome.violations:
        print(f"NOT KEPT: {one.invariant}: {one.detail}")
    print(f"seed {seed}: " + (f"{len(outcome.violations)} not kept" if outcome.violations else "all promises kept"))
    return int(bool(outcome.violations))


if __name__ == "__main__":
    sys.exit(main())
