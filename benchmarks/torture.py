"""The long round through the breaking yard: faults at random for as long as you like, and an account of every message.

    python benchmarks/torture.py --minutes 8 --seed 1 --json torture.json
    python benchmarks/torture.py --kills 500 --outages 100 --seed 1

Three yards share the time, one after the other: *keeping*, whose broker keeps what it has acknowledged, so that
nothing may be missing; *persistent*, whose mosquitto writes its store to disk and is killed with ``kill -9``; and
*forgetful*, whose mosquitto keeps nothing. What these two lose is the broker's doing and is reported; the device must
still have every one of those messages. Needs mosquitto, and psutil (extra ``dev``).
"""

from __future__ import annotations

import argparse
import json
import os
import random
import sys
import tempfile
import time
from dataclasses import asdict
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1] / "tests"))

from faults.cart import PUBLISHER
from faults.faults import BrokerAway, Fault, KillBroker, KillChild, KillDaemon, LinkCut, keeping
from faults.yard import Outcome, Yard

TMPFS_MB = 192
PAUSE_S = (0.3, 2.0)
FORGETTING: list[Fault] = [KillBroker(0.2), KillBroker(1.5), KillBroker(5.0), BrokerAway(1.0)]
FORGETTING += [KillDaemon(), LinkCut(900), KillChild(PUBLISHER)]


def round_of(name: str, yard: Yard, faults: list[Fault], until: float, kills: int, outages: int) -> Outcome:
    """Strike until the time is over, or until there were so many kills and outages."""
    began, count = time.monotonic(), {"kill": 0, "outage": 0, "other": 0}
    with yard:
        while time.monotonic() < until or count["kill"] < kills or count["outage"] < outages:
            for fault in yard.torture([yard.random.choice(faults)], PAUSE_S):
                count[fault.kind] += 1
                received = yard.ear.received
                print(
                    f"{name:11} {time.monotonic() - began:5.0f} s  {fault.name:26} kills {count['kill']:4} "
                    f"outages {count['outage']:4}  committed {len(yard.produced.bodies):6}  "
                    f"heard {len(received.bodies):6} repeats {sum(received.duplicates.values()):5} violations "
                    f"{len(received.violations) + len(yard.produced.violations)}",
                    flush=True,
                )
        return yard.settle()


def summary(outcome: Outcome) -> dict[str, object]:
    """For JSON: counts, and the first of whatever was wrong."""
    said = asdict(outcome)
    account = said.pop("account")
    missing, foreign, violations = account["missing"], account["foreign"], account["violations"]
    account |= {"missing": len(missing), "foreign": len(foreign), "violations": len(violations)}
    return {**account, **said, "examples": [*map(str, missing[:5]), *map(str, foreign[:5]), *violations[:20]]}


def sound(name: str, outcome: Outcome) -> bool:
    """Whether what was promised was kept."""
    account = outcome.account
    kept = outcome.repairable == len(account.missing) and (name != "keeping" or not account.missing)
    return kept and not (account.violations or account.foreign or outcome.undelivered or outcome.fell_over)


def main() -> int:
    """Exit code 1 if a promise was broken."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=0.0, help="of striking, over all three yards")
    parser.add_argument("--kills", type=int, default=0, help="go on until so many in the keeping yard")
    parser.add_argument("--outages", type=int, default=0, help="go on until so many in each yard")
    parser.add_argument(
        "--seed", type=int, default=None, help="of the order and the moments of faults; default: chance"
    )
    parser.add_argument("--yards", default="keeping,persistent,forgetful", help="which of them, with commas between")
    parser.add_argument("--require-subscriber", action="store_true", help="the daemon waits for one (MQTT 5, 0x10)")
    parser.add_argument("--json", type=Path, help="write the summary here")
    options = parser.parse_args()
    seed = random.SystemRandom().randrange(1 << 31) if options.seed is None else options.seed
    if not (options.minutes or options.kills or options.outages):
        options.minutes = 10.0
    print(f"seed {seed}", flush=True)
    tmpfs_mb = TMPFS_MB if os.geteuid() == 0 else 0
    yards = {
        "keeping": (True, list(keeping(tmpfs_mb > 0)), tmpfs_mb, options.kills, options.outages),
        "persistent": (True, FORGETTING, 0, 0, options.outages),
        "forgetful": (False, FORGETTING, 0, 0, options.outages),
    }
    chosen = options.yards.split(",")
    if not yards.keys() >= set(chosen):
        parser.error(f"--yards: expected some of {', '.join(yards)}, got {options.yards}")
    results: dict[str, dict[str, object]] = {}
    good = True
    with tempfile.TemporaryDirectory(prefix="yard-", ignore_cleanup_errors=True) as folder:
        for name in chosen:
            persistence, faults, disk_mb, kills, outages = yards[name]
            waits = options.require_subscriber
            place = Path(folder) / name
            yard = Yard(place, seed=seed, persistence=persistence, tmpfs_mb=disk_mb, require_subscriber=waits)
            until = time.monotonic() + options.minutes * 60 / len(chosen)
            outcome = round_of(name, yard, faults, until, kills, outages)
            results[name] = {"sound": sound(name, outcome), **summary(outcome)}
            good = good and sound(name, outcome)
            print(json.dumps(results[name], indent=2), flush=True)
    if options.json:
        options.json.write_text(
            json.dumps({"seed": seed, "arguments": sys.argv[1:], "yards": results}, indent=2) + "\n"
        )
    print("sound" if good else "NOT SOUND: see the examples above")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
