"""Overlays of the demo: drawn from received messages alone, on frames that are read again from the source."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from edge.config.settings import StreamSettings
from edge.contracts.frames import Frame
from edge.contracts.results import Lesion, Reason, Status
from edge.picture.overlay import draw_overlay
from edge.picture.wording import sentence
from edge.plugins import make_source

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from numpy.typing import NDArray

    from edge.demo.summary import DemoSummary

READ_TIMEOUT_S = 5.0
FINDINGS, OTHERS = 3, 2
"""So many pictures of each are shown for a stream."""


@dataclass(slots=True)
class FrameMessages:
    """What was received about one frame; a `JudgedFrame` that can be drawn."""

    status: Status
    reason: Reason | None = None
    malignancy: float | None = None
    suspicious: bool | None = None
    call_uncertain: bool = False
    lesions: Sequence[Lesion] = ()


@dataclass(frozen=True, slots=True, eq=False)
class DemoOverlay:
    """One frame with its overlay drawn, and a caption."""

    stream: str
    seq: int
    caption: str
    pixels: NDArray[np.uint8]
    """(H, W, 3) uint8 RGB: the frame with the strip of words below it."""


def messages_by_frame(summary: DemoSummary, stream: str) -> dict[int, FrameMessages]:
    """Messages by frame number: what findings and coverage said of it, as far as it will be shown."""
    found: dict[int, FrameMessages] = {}
    drawn: set[tuple[int, str]] = set()
    for finding in summary.findings:  # an end repeats what was last said, of the frame that it was said of
        seq, key = finding.frame.seq, (finding.frame.seq, finding.finding_id)
        if finding.stream == stream and key not in drawn:
            drawn.add(key)
            call = (finding.malignancy, finding.suspicious, finding.call_uncertain)
            messages = found.setdefault(seq, FrameMessages(finding.status, None, *call))
            messages.lesions = [*messages.lesions, *finding.lesions]
    chosen = {seq: found[seq] for seq in _spread(sorted(found), FINDINGS)}
    others: dict[tuple[Status, Reason | None], int] = {}
    for change in summary.coverage:
        if change.stream == stream and change.since_frame is not None and change.status is not Status.FINDING:
            others.setdefault((change.status, change.reason), change.since_frame)
    for (status, reason), seq in list(others.items())[:OTHERS]:
        chosen.setdefault(seq, FrameMessages(status, reason))
    return dict(sorted(chosen.items()))


def draw_overlays(stream: str, uri: str, wanted: Mapping[int, FrameMessages]) -> list[DemoOverlay]:
    """Read the source again and draw what was received about its frames.

    A frame that does not come back is left out. Raises `EdgeError` if the source cannot be opened.
    """
    drawn = []
    for frame in _frames(stream, uri, max(wanted, default=-1)):
        messages = wanted.get(frame.seq)
        if messages is not None:
            caption = f"{stream}, frame {frame.seq}: {' | '.join(sentence(messages))}"
            drawn.append(DemoOverlay(stream, frame.seq, caption, draw_overlay(frame.pixels, messages)))
    return drawn


def _frames(stream: str, uri: str, last: int) -> Iterable[Frame]:
    source = make_source(StreamSettings(name=stream, source=uri))
    try:
        source.open()
        while last >= 0:
            item = source.read(READ_TIMEOUT_S)
            if isinstance(item, Frame):
                yield item
                if item.seq >= last:
                    return
            elif item is None or item.kind != "skipped":
                return
    finally:
        source.close()


def _spread(seqs: Sequence[int], count: int) -> list[int]:
    """At most ``count`` of ``seqs``, the first and the last among them."""
    if len(seqs) <= count:
        return list(seqs)
    return [seqs[round(at)] for at in np.linspace(0, len(seqs) - 1, count)]
