"""Power cut benchmark: the daemon on a disk that loses what was not synced, and an account of every message.

    python benchmarks/power_cuts.py --cuts 200 --seed 1 --json power.json
    python benchmarks/power_cuts.py --cuts 5 --seed 1 --lies 10
    python benchmarks/power_cuts.py --births 100 --seed 1

With ``--lies N`` the disk answers every sync and does one in N: the account must then be bad, or it would prove
nothing, and exit code 0 means that it was. With ``--births N`` the power goes N times while an outbox is begun on an
empty disk, spread over the changes that this makes. Needs mosquitto, FUSE (/dev/fuse, libfuse 2) and the extra ``dev``.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import tempfile
import time
from collections import Counter
from dataclasses import asdict
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1] / "tests"))

from faults.forgetful_disk import cannot_mount
from faults.forgetful_store import MODES
from faults.outbox_creation_cuts import cut_during_creation
from faults.power_cut_harness import PowerCutHarness, PowerCutOutcome

CREATION_CHANGES = 280
"""Changes of the disk over which cuts are spread: an empty outbox takes some 190 of them, a message 20."""


def summary(outcome: PowerCutOutcome) -> dict[str, object]:
    """Summary of an outcome for JSON: counts, and the first of whatever was wrong."""
    account, cuts = asdict(outcome.account), outcome.cuts
    missing, foreign, violations = account["missing"], account["foreign"], account["violations"]
    at_risk = sorted(cut.at_risk for cut in cuts)
    return {
        "cuts": len(cuts),
        "by_mode": dict(Counter(cut.mode for cut in cuts)),
        "by_moment": dict(Counter(cut.moment for cut in cuts)),
        "after_a_stop_in_good_order": sum(cut.after_stop for cut in cuts),
        "with_unsynced_changes": sum(cut.at_risk > 0 for cut in cuts),
        "unsynced_changes_median": at_risk[len(at_risk) // 2],
        "unsynced_changes_most": at_risk[-1],
        "produced": account["produced"],
        "received": account["received"],
        "duplicates": account["duplicates"],
        "missing": len(missing),
        "sent_before_durable": len(foreign),
        "violations": len(violations),
        "needless_epochs": max(0, outcome.epochs - 1),
        "fell_over": outcome.fell_over,
        "examples": [*map(str, missing[:5]), *map(str, foreign[:5]), *violations[:20]],
    }


def sound(outcome: PowerCutOutcome) -> bool:
    """Whether every promise was kept: nothing missing, foreign or out of order, one epoch."""
    account = outcome.account
    bad = account.missing or account.foreign or account.violations or outcome.fell_over or outcome.epochs > 1
    return bool(account.produced) and not bad


def creation_cuts(folder: Path, seed: int, count: int, report: Path | None) -> int:
    """Cut the power ``count`` times while an outbox is created; exit code 1 if one was lost or numbered wrongly."""
    chance = random.Random(seed)
    modes: Counter[str] = Counter()
    promised, faults = 0, []
    for index in range(count):
        after, mode = CREATION_CHANGES * index // count, chance.choice(MODES)
        cut = cut_during_creation(folder / f"birth-{index}", after, mode, chance.randrange(1 << 31))
        modes[mode] += 1
        promised += cut.promised
        faults += [f"cut after {after} changes, {mode}: {fault}" for fault in cut.faults]
        print(f"birth {index + 1:4}  cut after {after:4} changes  {mode:6}  {cut.faults or 'sound'}", flush=True)
    result = {"seed": seed, "births": count, "by_mode": dict(modes), "promised": promised, "faults": faults}
    print(json.dumps(result, indent=2))
    if report:
        report.write_text(json.dumps(result, indent=2) + "\n")
    return int(bool(faults))


def main() -> int:
    """Command line: exit code 1 if a promise was broken; with ``--lies``, if that was not noticed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cuts", type=int, default=200)
    parser.add_argument("--seed", type=int, default=None, help="of moments and of what survives; default: chance")
    parser.add_argument("--lies", type=int, default=0, metavar="N", help="the disk does one sync in N; 0: is honest")
    parser.add_argument(
        "--minutes", type=float, default=float("inf"), help="stop cutting then, however many there were"
    )
    parser.add_argument("--births", type=int, default=0, metavar="N", help="begin N outboxes instead")
    parser.add_argument("--json", type=Path, help="write the summary here")
    options = parser.parse_args()
    seed = random.SystemRandom().randrange(1 << 31) if options.seed is None else options.seed
    print(f"seed {seed}", flush=True)
    with tempfile.TemporaryDirectory(prefix="power-", ignore_cleanup_errors=True) as place:
        folder, began = Path(place), time.monotonic()
        why_not = cannot_mount(folder / "probe")
        if why_not:
            parser.error(why_not)
        if options.births:
            return creation_cuts(folder, seed, options.births, options.json)
        with PowerCutHarness(folder / "harness", seed=seed, lies=options.lies) as harness:
            while len(harness.cuts) < options.cuts and time.monotonic() - began < options.minutes * 60:
                cut = harness.run_and_cut()
                bad = len(harness.consumer.received.violations) + len(harness.produced.violations)
                print(
                    f"{time.monotonic() - began:5.0f} s  cut {len(harness.cuts):4} {cut.mode:6} {cut.moment:8} "
                    f"unsynced {cut.at_risk:4}  durable {len(harness.produced.bodies):6}  heard {cut.heard:6}  "
                    f"heard but not durable {cut.unfounded:3} violations {bad}",
                    flush=True,
                )
            outcome = harness.finish()
    result = {"seed": seed, "lies": options.lies, "sound": sound(outcome), **summary(outcome)}
    print(json.dumps(result, indent=2), flush=True)
    if options.json:
        options.json.write_text(json.dumps(result, indent=2) + "\n")
    good = sound(outcome)
    if options.lies:
        print("the lies were noticed" if not good else "THE LIES WERE NOT NOTICED: this run proves nothing")
        return int(good)
    print("sound" if good else "NOT SOUND: see the examples above")
    return int(not good)


if __name__ == "__main__":
    sys.exit(main())
