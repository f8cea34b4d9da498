"""Result of an MLCommons LoadGen run, read from its detail log."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from edge.contracts.decoding import UnreadableError, decode_json
from edge.contracts.errors import DeviceError

if TYPE_CHECKING:
    from pathlib import Path

MARK = ":::MLLOG "
PERCENTILES = ("50.00", "90.00", "95.00", "97.00", "99.00", "99.90")


class LoadGenResult(msgspec.Struct, frozen=True, kw_only=True):
    """Result of one LoadGen scenario; times of queries, in milliseconds."""

    scenario: str
    rules: str
    """Those that LoadGen was told to hold the run to."""
    version: str
    valid: bool
    """By LoadGen's own words, and no frame was without a result."""
    reasons: list[str]
    """Why it is not valid."""
    queries: int
    samples_per_query: int
    metric: str
    """What the scenario is about."""
    value: float | None
    """Of the metric; None: LoadGen did not come to it."""
    percentiles_ms: dict[str, float]
    early_stopping: str
    """What LoadGen says of it, in its own words and in nanoseconds."""


def read_log(path: Path) -> dict[str, Any]:
    """Read keys and values of LoadGen's detail log. Raises `DeviceError` if it wrote none."""
    values: dict[str, Any] = {}
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError as error:
        raise DeviceError(
            f"LoadGen left no log: {error.strerror}", hint="is there room in the folder for temporary files?"
        ) from None
    for line in lines:
        if line.startswith(MARK):
            try:
                entry = decode_json(line.removeprefix(MARK), dict[str, Any])
            except UnreadableError:  # a line that was cut off
                continue
            if "key" in entry:
                values[str(entry["key"])] = entry.get("value")
    return values


def percentiles_of(values: dict[str, Any]) -> dict[str, float]:
    """LoadGen's own percentiles by name (``p90``), in milliseconds."""
    found = {}
    for name in PERCENTILES:
        nanoseconds = values.get(f"result_{name}_percentile_latency_ns")
        if isinstance(nanoseconds, int | float):
            found[f"p{float(name):g}"] = nanoseconds / 1e6
    return found
