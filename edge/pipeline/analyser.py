"""Analyser: judges one frame in steps that the loop can overlap: prepare, queue, start, wait, finish."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from edge.contracts import precision
from edge.contracts.finding import Verdict
from edge.contracts.frame_result import Result
from edge.contracts.results import Reason, Status
from edge.contracts.tensors import Tensor
from edge.postprocess.abstention_rules import MIN_SIDE, SIZE_RULES, pixel_gate
from edge.postprocess.decide import decide
from edge.postprocess.frame_context import FrameContext
from edge.postprocess.rule_table import first_reason
from edge.postprocess.tissue_view import TissueView
from edge.preprocess.preprocessor import MAX_PIXELS
from edge.preprocess.recipes import make_preprocessor
from edge.scan_area.blackout import has_outline

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from edge.contracts.clip_model import RecurrentStep
    from edge.contracts.finding import RuntimeRef
    from edge.contracts.frames import Frame
    from edge.contracts.manifest import BundleManifest
    from edge.pipeline.guard import RuntimeGuard
    from edge.preprocess.letterbox import Letterbox

    Answer = Mapping[str, NDArray[Any]] | Reason

log = logging.getLogger(__name__)


@dataclass(slots=True)
class FrameJob:
    """One frame on its way to a result, with what is known of it so far."""

    frame: Frame
    letterbox: Letterbox | None = None
    crop_grey: NDArray[np.uint8] | None = None
    """Grey of the part that the model sees, (h, w) uint8; for the descriptors of its lesions."""
    view: TissueView | None = None
    """What the model sees, as a small grey picture; None: the crop is too narrow to tell anything."""
    refused: Verdict | None = None
    """Set where no inference is needed or possible."""
    runtime: RuntimeRef | None = None
    """What computed it: by the time of the result another one may be there."""
    mark_ns: int = 0
    latency_ms: dict[str, float] = field(default_factory=dict)

    def lap(self, stage: str, since_ns: int) -> None:
        """Note how long ``stage`` took, in milliseconds."""
        self.latency_ms[stage] = precision.milliseconds((time.monotonic_ns() - since_ns) / 1e6)


class Analyser:
    """Preprocesses, infers and decides, with one model and one guarded runtime."""

    def __init__(self, manifest: BundleManifest, guard: RuntimeGuard, clip_step: RecurrentStep | None = None) -> None:
        self.manifest = manifest
        self.guard = guard
        self.clip_step = clip_step
        """Recurrent step of the model's bundle, for whoever tracks lesions; it has no part in a frame's result."""
        self._gated_by = None if manifest.judges == "lesion" else manifest.gate
        self._preprocess = make_preprocessor(manifest)
        # One buffer serves all frames: `submit` has copied it by the time the next frame is prepared.
        self._values: NDArray[Any] = np.empty(manifest.input.shape, manifest.input.dtype)
        self._tensor = Tensor(self._values, manifest.input)

    @property
    def marks_ns(self) -> tuple[int, int, int, int]:
        """Times when the last picture was begun, cropped, resized and copied to the tensor: monotonic clock, ns."""
        return self._preprocess.marks_ns

    def prepare(self, frame: Frame) -> FrameJob:
        """Fill the input from ``frame``, or refuse it. Touches no runtime: may run while one computes."""
        job, began = FrameJob(frame), time.monotonic_ns()
        try:
            self._prepare(job)
        except Exception:  # whatever it is, it costs this frame and not the stream
            log.exception("frame %d of %s could not be prepared", frame.seq, frame.stream)
            job.refused = Verdict(Status.NO_RESULT, Reason.FAILED)
        job.lap("preprocess", began)
        return job

    def _prepare(self, job: FrameJob) -> None:
        frame = job.frame
        height, width = frame.pixels.shape[:2]
        if height * width > MAX_PIXELS:
            job.refused = Verdict(Status.NO_RESULT, Reason.TOO_LARGE)
            return
        reason = first_reason(SIZE_RULES, (0, 0, width, height))  # what is smaller cannot be preprocessed either
        if reason is None:
            _, job.letterbox = self._preprocess(frame.pixels, frame.regions, self._values)
            job.crop_grey = self._preprocess.crop_grey
            small = self._preprocess.small
            if small is not None and min(small.shape) >= MIN_SIDE:
                job.view = TissueView(small, job.letterbox.crop, (width, height), frame.regions)
            reason = pixel_gate(frame.pixels, job.letterbox.crop, job.crop_grey, job.view)
        if reason is not None:
            job.refused = Verdict(Status.ABSTAINED, reason)

    def queue(self, job: FrameJob) -> None:
        """Queue the filled input in a runtime with two slots, while it computes the previous frame.

        `start` must follow.
        """
        if job.refused is None:
            self.guard.submit_next(self._tensor)

    def start(self, job: FrameJob) -> None:
        """Submit the filled input to the runtime, if `queue` has not done so."""
        job.mark_ns = time.monotonic_ns()
        if job.refused is None and (reason := self.guard.submit(self._tensor)) is not None:
            job.refused = Verdict(Status.NO_RESULT, reason)

    def wait(self, job: FrameJob) -> Answer | None:
        """Raw outputs for ``job``, or why there are none; None where the runtime was not asked.

        Copies: the runtime may overwrite its own at the next `start`.
        """
        if job.refused is not None:
            return None
        answer = self.guard.wait()
        job.lap("infer", job.mark_ns)
        if not isinstance(answer, Reason):
            job.runtime = self.guard.ref
        # Views of memory that the next frame's outputs will overwrite: take them now, they are small.
        return answer if isinstance(answer, Reason) else {name: np.array(value) for name, value in answer.items()}

    def finish(self, job: FrameJob, answer: Answer | None) -> Result:
        """Result of the frame, from what `wait` returned; never raises for what is in a picture."""
        frame, began = job.frame, time.monotonic_ns()
        if job.refused is not None:
            verdict = job.refused
        elif isinstance(answer, Reason):
            verdict = Verdict(Status.NO_RESULT, answer)
        else:
            try:
                verdict = self._decide(job, answer)
            except Exception:  # as in `prepare`
                log.exception("frame %d of %s could not be judged", frame.seq, frame.stream)
                verdict = Verdict(Status.NO_RESULT, Reason.FAILED)
        job.lap("postprocess", began)
        job.lap("total", frame.captured_ns)
        return Result(
            **msgspec.structs.asdict(verdict),
            stream=frame.stream,
            frame_seq=frame.seq,
            captured_ns=frame.captured_ns,
            image_size=(frame.pixels.shape[1], frame.pixels.shape[0]),
            runtime=job.runtime,
            latency_ms=job.latency_ms,
            gated_by=self._gated_by,
        )

    def _decide(self, job: FrameJob, answer: Answer | None) -> Verdict:
        frame, placed = job.frame, job.letterbox
        assert answer is not None  # noqa: S101  (not refused, hence asked)
        assert not isinstance(answer, Reason)  # noqa: S101  (dealt with before)
        assert placed is not None  # noqa: S101  (not refused, hence prepared)

        def unseen() -> float:
            return self._preprocess.unseen(frame.pixels, frame.regions, placed.crop)

        context = FrameContext(
            frame.origin.body_part,
            frame.origin.body_part_disputed,
            unseen,
            scan_unknown=frame.geometry is not None and not has_outline(frame.regions),
            view=job.view,
        )
        return decide(answer, self.manifest, placed, frame.regions, frame.pixels, context, job.crop_grey)

    def analyse(self, frame: Frame) -> Result:
        """Result of one frame: all steps, one after the other."""
        job = self.prepare(frame)
        self.start(job)
        return self.finish(job, self.wait(job))

    def close(self) -> None:
        """Close the runtime and stop replacing it."""
        self.guard.close()
