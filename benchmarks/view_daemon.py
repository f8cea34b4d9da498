"""Daemon with a page, or without one, for `benchmarks/view.py`; percentiles of what was measured with it."""

from __future__ import annotations

import contextlib
import re
import subprocess
import sys
import threading
import time
from pathlib import Path

import psutil

ROOT = Path(__file__).parents[1]
sys.path.append(str(ROOT / "tests"))
WAIT_S = 60.0


def percentile(values: list[float], share: float) -> float:
    """Percentile of values by the nearest rank."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def summary(values: list[float]) -> dict[str, float]:
    """Median, p95 and p99 of values, and how many there are."""
    figures = {f"p{int(share * 100)}": round(percentile(values, share), 3) for share in (0.5, 0.95, 0.99)}
    return {**figures, "n": len(values)}


class MeasuredDaemon:
    """A daemon on a source, with a page or without."""

    def __init__(self, source: str, folder: Path, *, view: bool, more: str = "") -> None:
        config = folder / "edge.toml"
        stream = f'[[streams]]\nname = "cart"\nsource = "{source}"\n{more}\n'
        config.write_text(stream + "[view]\nport = 0\n[publish]\nhealth_every_s = 2\n")
        command = [sys.executable, "-m", "edge.cli.main", "run", "--config", str(config)]
        command += ["--state-dir", str(folder / "s")]
        command += ["--sink", f"jsonl://{folder / 'out.jsonl'}", *(["--view"] if view else [])]
        self.process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        self.log: list[str] = []
        threading.Thread(target=lambda: self.log.extend(self.process.stderr or ()), daemon=True).start()
        self.address = ""
        if view:
            until = time.monotonic() + WAIT_S
            while not (found := re.search(r"the page is at (\S+)", "".join(self.log))):
                assert time.monotonic() < until, "".join(self.log)
                time.sleep(0.05)
            self.address = found[1]

    def child(self, module: str) -> psutil.Process:
        """Process of this daemon that runs a module; waits until there is one."""
        until = time.monotonic() + WAIT_S
        while time.monotonic() < until:
            with contextlib.suppress(psutil.Error):
                for each in psutil.Process(self.process.pid).children(recursive=True):
                    if module in each.cmdline():
                        return each
            time.sleep(0.02)
        raise AssertionError(f"there is no {module}")

    def end(self) -> None:
        """Stop the daemon, and wait for its end."""
        self.process.terminate()
        self.process.wait(WAIT_S)
