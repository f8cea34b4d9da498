"""Frames, results and parts that the tests of the frame path share."""

from __future__ import annotations

import numpy as np
import pytest

from edge.contracts.frame_result import Result
from edge.contracts.frames import Frame, FrameOrigin
from edge.contracts.results import Lesion, Reason, Status


def textured(width: int = 96, height: int = 80, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(20, 220, (height, width), np.uint8)


def make_frame(seq: int = 0, stream: str = "s", clip: int = 0, study: str | None = None, captured_ns: int = 0) -> Frame:
    return Frame(stream, seq, captured_ns, None, textured(seed=seq), (), FrameOrigin(clip=clip, study=study))


def make_lesion(x: int = 10, y: int = 10, side: int = 20) -> Lesion:
    box = (x, y, side, side)
    corners = [(x, y), (x + side, y), (x + side, y + side), (x, y + side)]
    return Lesion(box=box, outline=corners, centre=(x + side / 2, y + side / 2), score=0.9)


def finding(
    seq: int = 0,
    *lesions: Lesion,
    malignancy: float = 0.7,
    captured_ns: int = 0,
    call_uncertain: bool = False,
) -> Result:
    return Result(
        stream="s",
        frame_seq=seq,
        captured_ns=captured_ns,
        status=Status.FINDING,
        malignancy=malignancy,
        suspicious=malignancy >= 0.5,
        lesions=lesions or (make_lesion(),),
        call_uncertain=call_uncertain,
    )


def clear(seq: int = 0) -> Result:
    return Result(stream="s", frame_seq=seq, captured_ns=0, status=Status.CLEAR, malignancy=0.1)


def unjudged(seq: int = 0, status: Status = Status.ABSTAINED, reason: Reason = Reason.BLACK) -> Result:
    return Result(stream="s", frame_seq=seq, captured_ns=0, status=status, reason=reason)


@pytest.fixture
def make():
    """The makers above, for tests that are imported without a package."""

    class Makers:
        frame = staticmethod(make_frame)
        lesion = staticmethod(make_lesion)
        finding = staticmethod(finding)
        clear = staticmethod(clear)
        unjudged = staticmethod(unjudged)

    return Makers
