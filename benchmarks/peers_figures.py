"""Figures of `benchmarks/peers.py`, `streams.py` and `jpeg_cine.py` as rows and goals; no layout."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from intervals import median, percentile_difference, percentile_ratio, pooled_percentile, ratio

if TYPE_CHECKING:
    from intervals import Estimate

BARE, OURS = "bare", "daemon"
NAMES = {
    "bare": "bare LiteRT `invoke`: the limit",
    "daemon": "**sonoedge**, the daemon",
    "in-process": "sonoedge, one process, one stage after the other",
    "mediapipe": "MediaPipe Tasks ImageClassifier",
    "openvino": "OpenVINO",
    "onnx": "ONNX Runtime",
    "tflite-runtime": "tflite-runtime",
    "frigate-style": "Frigate-style loop",
}
"""In the order of the tables; Markdown."""
MODES = {
    "two-cores": "One thread, two cores",
    "one-core": "One thread, everything on one core",
    "two-threads": "Two threads, two cores",
}


@dataclass(frozen=True)
class Row:
    """Figures of one peer in one mode, with intervals."""

    name: str
    version: str
    frames_per_s: Estimate
    of_bare: Estimate | None
    cores: float
    steps_off: float | None
    ms: dict[str, tuple[Estimate, Estimate]]
    """Point (``result``, ``ack``) -> p50 and p99 at the pace."""


@dataclass(frozen=True)
class Goal:
    """Goal with its bound and the figure that was measured."""

    what: str
    sense: Literal[">=", "<="]
    bound: float
    got: Estimate
    digits: int = 2

    @property
    def wanted(self) -> str:
        """Text of the bound: ``>= 1.5``."""
        return f"{self.sense} {self.bound:g}"

    @property
    def met(self) -> bool:
        """Whether the goal is met by the figure itself."""
        return self._holds(self.got.value)

    @property
    def sure(self) -> bool:
        """Whether all of the interval says the same."""
        return self._holds(self.got.low) == self._holds(self.got.high)

    def _holds(self, value: float) -> bool:
        return value >= self.bound if self.sense == ">=" else value <= self.bound


def rows(mode: dict[str, Any]) -> list[Row]:
    """Figures of all peers of ``mode``, in the order of `NAMES`."""
    peers = mode["peers"]
    bare = peers.get(BARE)
    found = []
    for name in NAMES:
        one = peers.get(name)
        if one is None:
            continue
        speed = one["frames_per_s"]
        found.append(
            Row(
                name=name,
                version=one["version"],
                frames_per_s=median(speed),
                of_bare=None if bare is None else ratio(speed, bare["frames_per_s"]),
                cores=median(one["cores"]).value,
                steps_off=one["steps_off"],
                ms={
                    point: (pooled_percentile(taken, 0.5), pooled_percentile(taken, 0.99))
                    for point, taken in one["ms"].items()
                },
            )
        )
    return found


def goals(said: dict[str, Any]) -> list[Goal]:
    """Goals of which everything was measured."""
    found = []
    modes = said.get("peers", {}).get("modes", {})

    def speed(mode: str, name: str) -> list[float] | None:
        one = modes.get(mode, {}).get("peers", {}).get(name)
        return None if one is None else one["frames_per_s"]

    def taken(name: str, point: str) -> list[list[float]] | None:
        one = modes.get("two-cores", {}).get("peers", {}).get(name)
        return None if one is None else one["ms"].get(point)

    def faster(what: str, mode: str, other: str, least: float) -> None:
        ours, theirs = speed(mode, OURS), speed(mode, other)
        if ours and theirs:
            found.append(Goal(what, ">=", least, ratio(ours, theirs), 3 if other == BARE else 2))

    faster("whole loop / bare `invoke`, second core there", "two-cores", BARE, 1.0)
    faster("whole loop / bare `invoke`, all on one core", "one-core", BARE, 0.97)
    ack, bare = taken(OURS, "ack"), taken(BARE, "result")
    if ack and bare:
        more = percentile_difference(ack, bare, 0.99)
        found.append(Goal("p99(path to ack) - p99(bare) at the pace, ms", "<=", 3, more))
    faster("frames/s against MediaPipe Tasks", "two-cores", "mediapipe", 1.2)
    limit, theirs = speed("two-cores", BARE), speed("two-cores", "frigate-style")
    at_most = f" (bare `invoke`: {ratio(limit, theirs).value:.2f})" if limit and theirs else ""
    faster(f"frames/s against the Frigate-style loop{at_most}", "two-cores", "frigate-style", 1.5)
    ours, theirs = taken(OURS, "result"), taken("frigate-style", "result")
    if ours and theirs:
        share = percentile_ratio(ours, theirs, 0.99)
        found.append(Goal("p99 at the pace against the Frigate-style loop", "<=", 0.5, share))
    return found + stream_goals(said.get("streams")) + dicom_goals(said.get("dicom_jpeg"))


def stream_goals(said: dict[str, Any] | None) -> list[Goal]:
    """Goals of `benchmarks/streams.py` that were measured."""
    if not said:
        return []
    speed, size = said["frames_per_s"], said["pss_mb"]  # by count, which JSON makes text
    one, *others = [str(count) for count in said["counts"]]
    found = [
        Goal("PSS of all processes, one live stream, MB", "<=", 150, median(said["live_pss_mb"]), 1),
        Goal("start to the first finding at a subscriber, s", "<=", 1.5, median(said["first_finding_s"])),
    ]
    for count in others:
        flat = ratio(speed[count], speed[one])
        found.append(Goal(f"{count} streams: total frames/s, of one stream's", ">=", 0.95, flat, 3))
    for count in others:
        more = [(mb - first) / (int(count) - int(one)) for mb, first in zip(size[count], size[one], strict=True)]
        found.append(Goal(f"{count} streams: PSS for each more, MB", "<=", 8, median(more), 1))
    return found


def dicom_goals(said: dict[str, Any] | None) -> list[Goal]:
    """Goals of `benchmarks/jpeg_cine.py` that were measured."""
    found = []
    for kind, speeds in (said or {}).get("kinds", {}).items():
        got = ratio(speeds["ours"], speeds["pydicom"])
        found.append(Goal(f"DICOM JPEG cine 640x480, {kind}: frames/s against pydicom", ">=", 2, got))
    return found
