"""Fault injection benchmark: random faults for as long as you like, and an account of every message.

    python benchmarks/torture.py --minutes 8 --seed 1 --json torture.json
    python benchmarks/torture.py --kills 500 --outages 100 --seed 1 --jobs 2 --markdown

Six scenarios share the work: *keeping*, whose broker keeps what it has acknowledged, so that nothing may be
missing even at first; *damaged*, where the outbox file is truncated, changed or replaced by an older copy and the clock
is set; *stuck*, where the runtime's driver stops answering, so that its process cannot be killed; *persistent*, whose
mosquitto writes its store to disk and is killed with ``kill -9``; *forgetful*, whose mosquitto keeps nothing;
*overflowing*, whose consumer is away for longer than the broker has room. What the last three lose is the broker's
doing; the consumer asks for it again, and then nothing may be missing. Needs mosquitto, and psutil (extra ``dev``); as
root the disks get faults too, with a C compiler the clock, and with FUSE the driver.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import random
import shutil
import sys
import tempfile
import time
import traceback
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

sys.path.append(str(Path(__file__).parents[1] / "tests"))

from faults.fault_harness import FaultHarness, Outcome
from faults.scenarios import KILLS, fault_scenarios

PAUSE_S = (0.05, 0.7)
KILL_SHARE = 0.75
"""Share of kills among all faults, where both are wanted."""


@dataclass(frozen=True)
class FaultScenarioRun:
    """What one scenario is to do; it may be run in another process."""

    name: str
    folder: str
    seed: int
    minutes: float
    kills: int
    outages: int
    require_subscriber: bool


def run_scenario(run: FaultScenarioRun) -> dict[str, Any]:
    """Inject faults until the time is over and there were so many kills and outages; the summary."""
    plan = fault_scenarios(os.geteuid() == 0)[run.name]
    place = Path(run.folder) / run.name
    harness = FaultHarness(place, seed=run.seed, require_subscriber=run.require_subscriber, **plan.options)
    began, outages = time.monotonic(), 0
    with harness:
        while True:
            kills, passed_s = sum(harness.daemon.kills.values()), time.monotonic() - began
            if passed_s >= run.minutes * 60 and kills >= run.kills and outages >= run.outages:
                break
            faults = KILLS if harness.random.random() < KILL_SHARE else plan.others
            if passed_s >= run.minutes * 60 and kills >= run.kills:  # only outages are wanting
                faults = [fault for fault in plan.others if fault.kind == "outage"]
            for fault in harness.inject_all([harness.random.choice(faults)], PAUSE_S):
                outages += fault.kind == "outage"
                received = harness.consumer.received
                print(
                    f"{run.name:11} {time.monotonic() - began:5.0f} s  {fault.name:28} kills {kills:4} "
                    f"outages {outages:4}  committed {len(harness.produced.bodies):6}  "
                    f"heard {len(received.bodies):6} repeats {sum(received.duplicates.values()):5} violations "
                    f"{len(received.violations) + len(harness.produced.violations) + len(harness.violations)}",
                    flush=True,
                )
        minutes = (time.monotonic() - began) / 60
        outcome = harness.finish()
    sound = outcome.sound and not (
        plan.lossless and outcome.missing_first_pass > outcome.lost_with_their_file + outcome.set_aside
    )
    return {"sound": sound, "minutes": round(minutes, 2), "outages": outages, **summary(outcome)}


def result_of(pending: Future[dict[str, Any]]) -> dict[str, Any]:
    """Summary of a scenario, or why it could not go on."""
    try:
        return pending.result()
    except Exception as error:  # the others' results still count
        traceback.print_exc()
        return {"sound": False, "error": repr(error)}


def summary(outcome: Outcome) -> dict[str, Any]:
    """Summary of an outcome for JSON: counts, and the first of whatever was wrong."""
    said = asdict(outcome)
    account = said.pop("account")
    missing, foreign, violations = said.pop("missing"), account.pop("foreign"), account.pop("violations")
    del account["missing"]
    counts = {
        "missing": len(missing),
        "foreign": len(foreign),
        "order_violations": sum("order" in each for each in violations),
        "seq_reused": sum("reused" in each or "changed" in each for each in violations),
        "wrong_clear": sum("clear on" in each for each in violations),
        "violations": len(violations),
    }
    return {**account, **said, **counts, "examples": [*map(str, missing[:5]), *map(str, foreign[:5]), *violations[:20]]}


def markdown(harnesses: dict[str, dict[str, Any]]) -> str:
    """Markdown table of the summaries, for docs/torture.md."""

    def struck(one: dict[str, Any], word: str) -> int:
        return sum(count for name, count in one["struck"].items() if word in name)

    def kills(one: dict[str, Any], module: str) -> int:
        return int(one["kills"].get(module, 0))

    rows: dict[str, Any] = {
        "minutes of striking": lambda one: one["minutes"],
        "kills a minute": lambda one: round(sum(one["kills"].values()) / one["minutes"], 1),
        "`kill -9` of our processes": lambda one: sum(one["kills"].values()),
        "... supervisor, so all": lambda one: kills(one, "daemon"),
        "... frame process": lambda one: kills(one, "edge.daemon.frame.process"),
        "... publisher": lambda one: kills(one, "edge.daemon.publisher.process"),
        "... runtime": lambda one: kills(one, "edge.runtimes.isolated_child"),
        "broker, network, consumer away": lambda one: one["outages"],
        "... of these `kill -9` of the broker": lambda one: struck(one, "kill broker"),
        "disk full / read-only": lambda one: f"{struck(one, 'full')} / {struck(one, 'read-only')}",
        "outbox truncated / bits flipped / older copy": lambda one: " / ".join(
            str(struck(one, word)) for word in ("truncated", "flipped", "older")
        ),
        "clock set / second daemon of the same name": lambda one: f"{struck(one, 'clock')} / {struck(one, 'twin')}",
        "driver stuck, runtime not to be killed": lambda one: struck(one, "driver stuck"),
        "committed": lambda one: f"{one['produced']:,}",
        "missing at first": lambda one: (
            f"{one['missing_first_pass']} ({one['missing_first_pass'] / one['produced']:.1%})"
        ),
        "... of these still on the device": lambda one: one["repairable"],
        "asked for again": lambda one: one["asked"],
        "**missing after repair**": lambda one: f"**{one['missing']}**",
        "destroyed with their file by the harness": lambda one: one["lost_with_their_file"],
        "readable in a file set aside, not sent": lambda one: one["set_aside"],
        "repeats, all recognised": lambda one: one["duplicates"],
        "order violations, per lane and topic": lambda one: one["order_violations"],
        "seq given twice, body changed": lambda one: one["seq_reused"],
        "heard before its commit": lambda one: one["foreign"],
        "wrong `clear`": lambda one: one["wrong_clear"],
        "the ledger disagrees": lambda one: len(one["ledger_disagrees"]),
        "frames lost in the commit window (at least)": lambda one: one["frames_lost"],
        "daemon ended by itself / left undelivered": lambda one: f"{one['fell_over']} / {one['undelivered']}",
    }
    harnesses = {name: one for name, one in harnesses.items() if "error" not in one}
    lines = ["| | " + " | ".join(harnesses) + " |", "|---|" + "---:|" * len(harnesses)]
    lines += [
        f"| {row} | " + " | ".join(str(cell(one)) for one in harnesses.values()) + " |" for row, cell in rows.items()
    ]
    return "\n".join(lines)


def argument_parser() -> argparse.ArgumentParser:
    """Arguments of the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=0.0, help="of striking, over all scenarios")
    parser.add_argument("--kills", type=int, default=0, help="go on until so many, over all scenarios")
    parser.add_argument("--outages", type=int, default=0, help="go on until so many, over all scenarios")
    parser.add_argument("--seed", type=int, help="of the order and the moments of faults; default: chance")
    every = ",".join(fault_scenarios(False))
    parser.add_argument("--scenarios", "--yards", default=every, help="which of them, with commas between")
    parser.add_argument("--jobs", type=int, default=1, help="scenarios at the same time")
    parser.add_argument("--require-subscriber", action="store_true", help="the daemon waits for one (MQTT 5, 0x10)")
    parser.add_argument("--json", type=Path, help="write the summary here")
    parser.add_argument("--markdown", action="store_true", help="print the table of docs/torture.md too")
    parser.add_argument("--table", type=Path, help="print the table of a summary that was written before, and end")
    return parser


def run_all(runs: list[FaultScenarioRun], jobs: int, seed: int, report: Path | None) -> dict[str, dict[str, Any]]:
    """Run the scenarios, ``jobs`` at the same time; summaries by name, also written to ``report`` after each."""
    results: dict[str, dict[str, Any]] = {}
    with ProcessPoolExecutor(jobs, multiprocessing.get_context("spawn")) as pool:
        for run, pending in [(run, pool.submit(run_scenario, run)) for run in runs]:
            results[run.name] = result_of(pending)
            print(json.dumps({run.name: results[run.name]}, indent=2), flush=True)
            if report:  # what is done is kept, whatever becomes of the others
                whole = {"seed": seed, "arguments": sys.argv[1:], "yards": results}
                report.write_text(json.dumps(whole, indent=2) + "\n")
    return results


def main() -> int:
    """Command line: run the scenarios; exit code 1 if a promise was broken."""
    parser = argument_parser()
    options = parser.parse_args()
    if options.table:
        print(markdown(json.loads(options.table.read_text())["yards"]))
        return 0
    seed = random.SystemRandom().randrange(1 << 31) if options.seed is None else options.seed
    if not (options.minutes or options.kills or options.outages):
        options.minutes = 10.0
    chosen = options.scenarios.split(",")
    if not fault_scenarios(False).keys() >= set(chosen):
        parser.error(f"--scenarios: expected some of {', '.join(fault_scenarios(False))}, got {options.scenarios}")
    print(f"seed {seed}", flush=True)
    share = len(chosen)
    folder = tempfile.mkdtemp(prefix="torture-")
    runs = [
        FaultScenarioRun(
            name=name,
            folder=folder,
            seed=seed,
            minutes=options.minutes * options.jobs / share,
            kills=-(-options.kills // share),
            outages=-(-options.outages // share),
            require_subscriber=options.require_subscriber,
        )
        for name in chosen
    ]
    results = run_all(runs, options.jobs, seed, options.json)
    good = all(one["sound"] for one in results.values())
    if options.markdown:
        print(markdown(results))
    if good:
        shutil.rmtree(folder, ignore_errors=True)
    print("sound" if good else f"NOT SOUND: see the examples above, and the logs in {folder}")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
