"""The benchmarks are scripts of the checkout: they are found beside each other, behind everything installed."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[2] / "benchmarks"))
