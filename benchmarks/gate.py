"""Benchmark of the gate: what it refuses of what is no breast scan, and of what is; and what a spoilt picture reads as.

    make gate            (SONOEDGE_DATA: the folder with bus-bra/ and busi/; needs scikit-image and ffmpeg)
    python benchmarks/gate.py [--number 200] [--freezes 200] [--set held-back|chosen-on]

The limits were chosen on GE's scans of BUS-BRA, and on renderings of other seeds than these. Measured is on the scans
of the other makers and on BUSI, which were not used before. Screens, traces, colour Doppler, freezes and spoilings are
rendered or painted; photographs and scans are real. Every picture goes the whole way of `edge-cli infer`, with the
shipped model. ``refused``: neither finding nor clear. ``by name``: under the reason that says what it is.

Intervals are Wilson's, 95 %: E. B. Wilson, J. Am. Stat. Assoc. 22:209, 1927.
"""

from __future__ import annotations

import argparse
import math
import time
from collections import Counter
from typing import TYPE_CHECKING

import numpy as np
from gate_pictures.doppler import with_doppler
from gate_pictures.freezes import ENCODERS, FREEZES, ever_told, stream, through, told_after_s
from gate_pictures.photographs import originals, photograph
from gate_pictures.scans import Scan, chosen_on, clip_frames, held_back
from gate_pictures.screens import SCREENS
from gate_pictures.spoilings import SPOILINGS, probe_echoes, spoilt

from edge.app.compose import make_analyser
from edge.config.load import load_settings
from edge.config.settings import StreamSettings
from edge.contracts.frames import Frame
from edge.contracts.results import Reason, Status
from edge.pipeline.stream_metadata import add_stream_metadata

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

    from edge.contracts.frame_result import Result

JUDGED = (Status.FINDING, Status.CLEAR)
NEW = {
    Reason.NO_SIGNAL, Reason.MENU, Reason.REPORT, Reason.COLOUR_DOPPLER, Reason.M_MODE, Reason.SPECTRAL_DOPPLER,
    Reason.INTERLACED, Reason.NO_CONTACT, Reason.BLURRED, Reason.TISSUE_NOT_SEEN,
}  # fmt: skip
"""Reasons that this gate has added: what is refused for one of them may have been judged before."""
STREAM = StreamSettings(name="gate", source="images:///")
SEED = 16


def wilson(hits: int, of: int) -> tuple[float, float]:
    """Wilson's 95 % interval of a share."""
    if not of:
        return 0.0, 1.0
    z, share = 1.96, hits / of
    middle = (share + z * z / (2 * of)) / (1 + z * z / of)
    half = z / (1 + z * z / of) * math.sqrt(share * (1 - share) / of + z * z / (4 * of * of))
    return max(0.0, middle - half), min(1.0, middle + half)


def share(hits: int, of: int) -> str:
    """A share with its interval, in percent."""
    low, high = wilson(hits, of)
    return f"{100 * hits / max(1, of):.1f} % ({100 * low:.1f} to {100 * high:.1f})"


class Judge:
    """The shipped model's whole path for single pictures."""

    def __init__(self) -> None:
        self._analyser = make_analyser(load_settings(None, {}, {}))

    def __call__(self, pixels: NDArray[np.uint8]) -> Result:
        """Result of one picture, whose scan is looked for as `edge-cli infer` does."""
        frame = Frame("gate", 0, time.monotonic_ns(), None, pixels)
        return self._analyser.analyse(add_stream_metadata([STREAM])(frame))

    def close(self) -> None:
        """Close the model's runtime."""
        self._analyser.close()


def bad_classes(scans: list[Scan], number: int) -> Iterator[tuple[str, str, Iterator[NDArray[np.uint8]]]]:
    """Class, the reason that names it, and its pictures, (H, W) grey or (H, W, 3) RGB."""

    def each(make: Callable[[int, np.random.Generator], NDArray[np.uint8]]) -> Iterator[NDArray[np.uint8]]:
        return (make(n, np.random.default_rng((SEED, n))) for n in range(number))

    def scan(n: int) -> NDArray[np.uint8]:
        return scans[n * 7 % len(scans)].load()

    for name, (render, reason) in SCREENS.items():
        yield name, reason, each(lambda _, rng, render=render: render(rng))
    yield "colour Doppler", "colour_doppler", each(lambda n, rng: with_doppler(scan(n), rng))
    yield "no contact", "no_contact", each(lambda n, rng: probe_echoes(480, 640, rng))
    yield "blur", "blurred", each(lambda n, rng: spoilt(f"blur {4 + n % 5}", scan(n), rng))
    try:
        pictures = originals()
    except ImportError:
        print("photographs: scikit-image is not installed, left out")
        return
    yield "photograph or pattern", "not_ultrasound", each(lambda n, rng: photograph(pictures, n, rng))


def measure_bad(judge: Judge, scans: list[Scan], number: int) -> None:
    """Print the table of what must be refused."""
    print("\n| what it is | refused | by name | reasons |\n|---|---|---|---|")
    refused = total = 0
    for name, reason, pictures in bad_classes(scans, number):
        results = [judge(picture) for picture in pictures]
        reasons = Counter("judged" if r.reason is None else r.reason.value for r in results)
        hits = sum(r.status not in JUDGED for r in results)
        refused, total = refused + hits, total + len(results)
        most = ", ".join(f"{key} {count}" for key, count in reasons.most_common(3))
        print(f"| {name} | {share(hits, len(results))} | {share(reasons[reason], len(results))} | {most} |", flush=True)
    print(f"| all | {share(refused, total)} | | |")


def measure_good(judge: Judge, scans: list[Scan]) -> None:
    """Print the table of what must not be refused: unspoilt scans."""
    print("\n| scans | refused | of these for a reason that is new | clear |\n|---|---|---|---|")
    judged = [(scan.dataset, judge(scan.load())) for scan in scans]
    for dataset in ("bus-bra", "busi", "all"):
        results = [result for name, result in judged if dataset in ("all", name)]
        hits = sum(r.status not in JUDGED for r in results)
        new = sum(r.reason in NEW for r in results)
        clear = sum(r.status is Status.CLEAR for r in results)
        of = len(results)
        print(f"| {dataset}, {of} | {share(hits, of)} | {share(new, of)} | {clear} |", flush=True)


def measure_clips(judge: Judge) -> None:
    """Print which of the new reasons real clips of other organs are refused for: they are good scans all the same."""
    results = [judge(picture) for _, picture in clip_frames()]
    new = Counter(r.reason.value for r in results if r.reason in NEW)
    print(f"| clips of other organs, {len(results)} | | {share(sum(new.values()), len(results))} | |")
    if new:
        print(f"\nOf the clips' frames: {dict(new)}.")


def measure_spoilt(judge: Judge, scans: list[Scan]) -> None:
    """Print the table of what spoilt pictures of cancers read as."""
    cancers = [scan for scan in scans if scan.label == "malignant"]
    print(f"\n| {len(cancers)} cancers | clear | finding | reasons |\n|---|---|---|---|")
    for name in ("unspoilt", *SPOILINGS):
        results = []
        for number, scan in enumerate(cancers):
            grey = scan.load()
            rng = np.random.default_rng((SEED, number))
            results.append(judge(grey if name == "unspoilt" else spoilt(name, grey, rng)))
        clear, found = (sum(r.status is status for r in results) for status in (Status.CLEAR, Status.FINDING))
        reasons = Counter(r.reason.value for r in results if r.reason is not None)
        most = ", ".join(f"{key} {count}" for key, count in reasons.most_common(3))
        print(f"| {name} | {share(clear, len(results))} | {found} | {most} |", flush=True)


def measure_freezes(scans: list[Scan], number: int) -> None:
    """Print the table of freezes by codec: told at all and within a second, and of live streams told by mistake."""
    print("\n| codec | frozen: told within 1 s | median and longest | probe held still: told by mistake |")
    print("|---|---|---|---|")
    for codec in ENCODERS:
        times, mistakes = [], 0
        for n in range(number):
            rng, grey = np.random.default_rng((SEED, n)), scans[n * 7 % len(scans)].load()
            times.append(told_after_s(through(codec, stream(grey, FREEZES[n % len(FREEZES)], rng))))
            mistakes += ever_told(through(codec, stream(grey, "held still", rng)))
        told = sorted(t for t in times if t is not None)
        hits = sum(t <= 1.0 for t in told)
        span = f"{told[len(told) // 2]:.2f} s, {told[-1]:.2f} s" if told else "never"
        print(f"| {codec} | {share(hits, number)} | {span} | {share(mistakes, number)} |", flush=True)


def main() -> None:
    """Measure and print all tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--number", type=int, default=200, help="pictures of each class")
    parser.add_argument("--freezes", type=int, default=200, help="streams of each codec")
    parser.add_argument("--set", choices=("held-back", "chosen-on"), default="held-back", help="real scans")
    parser.add_argument("--only", choices=("bad", "good", "spoilt", "freezes"), default=None)
    given = parser.parse_args()
    scans = held_back() if given.set == "held-back" else chosen_on()
    judge = Judge()
    if given.only in (None, "bad"):
        measure_bad(judge, scans, given.number)
    if given.only in (None, "good"):
        measure_good(judge, scans)
        measure_clips(judge)
    if given.only in (None, "spoilt"):
        measure_spoilt(judge, scans)
    judge.close()
    if given.only in (None, "freezes"):
        measure_freezes(scans, given.freezes)


if __name__ == "__main__":
    main()
