"""Commands of the checkout's packages, as a user types them: ``python -m training …``."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

CHECKOUT = Path(__file__).parents[1]


def call(*command: object) -> str:
    """What ``python -m COMMAND`` prints; it must succeed, and TensorFlow's own log stay out of a training's."""
    environ = {k: v for k, v in os.environ.items() if k != "PYTHONSAFEPATH"}
    done = subprocess.run(
        [sys.executable, "-m", *map(str, command)],
        cwd=CHECKOUT,
        env=environ,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{command}: {done.stdout[-1500:]} {done.stderr[-1500:]}"
    assert "WARNING" not in done.stderr or "training" not in command, "TensorFlow's own log is in a file"
    return done.stdout
