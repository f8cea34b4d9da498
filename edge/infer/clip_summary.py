"""Summary of a clip: a line for each lesion that was tracked, and one for the clip.

The latter says how many frames were judged, why others were not, the most suspicious one, and what all frames together
say. Lesions are tracked by the rules of the daemon, with the default settings.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from edge.config.tracking_settings import TrackingSettings
from edge.contracts.results import Status
from edge.infer.output import printable, text_of
from edge.picture.wording import UNCERTAIN_CALL, counted, reason_text
from edge.pipeline.tracker import Tracker

if TYPE_CHECKING:
    from pathlib import Path

    from edge.contracts.clip_model import RecurrentStep
    from edge.infer.run import FileAnswer
    from edge.pipeline.clip_judgement import ClipJudgement
    from edge.pipeline.tracker import TrackEvent


class ClipSummary:
    """Counts the answers for one file, and tracks its lesions."""

    def __init__(self, path: Path, step: RecurrentStep | None = None) -> None:
        """``step``: of the model's bundle, if it has one."""
        self.path = path
        self.answers = 0
        """Frames, and what could not be read."""
        self._frames = 0
        self._judged: Counter[Status] = Counter()
        self._uncertain_calls = 0
        self._not_judged: Counter[str] = Counter()
        self._failed: Counter[str] = Counter()
        self._highest: tuple[float, FileAnswer] | None = None
        self._tracker = Tracker(TrackingSettings(), step)
        self._joins = step is not None and step.manifest.joins
        self._by_step: float | None = None
        """Malignancy that the recurrent step says of all frames, with and without a lesion."""
        self._clip: int | None = None
        self._geometry: int | None = None
        self._frame_numbers: dict[int, int] = {}
        """Number in the file of the best frame of each open track, by ``frame_seq``."""
        self._lesions: list[tuple[ClipJudgement, int | None]] = []
        """Tracks that have ended, with the number of their best frame."""
        self._labels: Counter[str] = Counter()
        """Frames by label, of a classifier."""
        self._of_lesions = True

    def add(self, answer: FileAnswer) -> None:
        """Count one more answer for the file."""
        self.answers += 1
        self._frames += answer.frame is not None
        self._track(answer)
        if answer.result is not None:
            self._of_lesions = answer.result.gated_by is None
            self._labels.update(answer.result.given)
        if answer.status in (Status.FINDING, Status.CLEAR):
            self._judged[answer.status] += 1
            self._uncertain_calls += answer.result is not None and answer.result.call_uncertain
            malignancy = None if answer.result is None else answer.result.malignancy
            if malignancy is not None and (self._highest is None or malignancy > self._highest[0]):
                self._highest = (malignancy, answer)
            return
        reason = answer.reason if answer.result is None else answer.result.reason
        gate = None if answer.result is None else answer.result.gated_by
        words = "for no reason that was given" if reason is None else reason_text(reason, gate)
        (self._not_judged if answer.status is Status.ABSTAINED else self._failed)[words] += 1

    def _track(self, answer: FileAnswer) -> None:
        frame, result = answer.frame, answer.result
        if frame is None or result is None:
            self._tracker.skip()
            return
        if self._clip not in (None, frame.origin.clip):
            self._note(self._tracker.end_all("clip_changed"))
        elif self._clip is not None and frame.geometry != self._geometry:
            self._note(self._tracker.end_all("geometry_changed"))
        self._clip, self._geometry = frame.origin.clip, frame.geometry
        self._frame_numbers[frame.seq] = frame.origin.frame_index
        self._note(self._tracker.update(result, frame.clip_ns, still=frame.origin.still))
        best = self._tracker.best_frames()
        self._frame_numbers = {seq: number for seq, number in self._frame_numbers.items() if seq in best}

    def _note(self, events: list[TrackEvent]) -> None:
        for event in events:
            if event.lifecycle == "end" and event.clip is not None:
                best = event.clip.best
                self._lesions.append((event.clip, None if best is None else self._frame_numbers.get(best.frame_seq)))

    def lines(self) -> list[str]:
        """All lines of the summary, the clip's last; the clip has ended then."""
        frames = self._tracker.frame_state()
        self._by_step = None if frames is None else frames.malignancy
        self._note(self._tracker.end_all("stream_ended"))
        name = printable(text_of(self.path))
        lesions = [
            f"lesion {number} of {name}: seen in {counted(clip.frames, 'frame')}, {clip.first_ns / 1e9:.2f} to "
            f"{clip.last_ns / 1e9:.2f} s; malignancy {clip.malignancy:.2f} by all of them"
            + ("" if best is None else f"; best frame {best}")
            for number, (clip, best) in enumerate(self._lesions, 1)
        ]
        return [*lesions, self.line()]

    def line(self) -> str:
        """The clip's own line, in ASCII but for the file's name."""
        found, clear = self._judged[Status.FINDING], self._judged[Status.CLEAR]
        parts = [
            f"{counted(self._frames, 'frame')} read",
            f"{found + clear} judged ({found} with a finding{self._uncertain_text()}, {clear} clear)",
        ]
        if self._not_judged:
            parts.append(f"{self._not_judged.total()} not judged ({_listed(self._not_judged)})")
        if self._failed:
            parts.append(f"{self._failed.total()} without a result ({_listed(self._failed)})")
        parts += [self._highest_text(), *self._joined_text()]
        return f"clip {printable(text_of(self.path))}: {'; '.join(parts)}"

    def _joined_text(self) -> list[str]:
        if self._joins and self._by_step is not None:
            return [*self._tracked_text(), f"malignancy {self._by_step:.2f} by the recurrent network over all frames"]
        return self._tracked_text()

    def _tracked_text(self) -> list[str]:
        if self._lesions:
            highest = max(clip.malignancy for clip, _ in self._lesions)
            return [f"{counted(len(self._lesions), 'lesion')} tracked, malignancy {highest:.2f} by all frames together"]
        return (
            ["no lesion was seen for long enough to be tracked"]
            if self._judged[Status.FINDING] and self._of_lesions
            else []
        )

    def _uncertain_text(self) -> str:
        return f", {self._uncertain_calls} of them an {UNCERTAIN_CALL}" if self._uncertain_calls else ""

    def _highest_text(self) -> str:
        if not self._of_lesions:
            return f"labels: {_listed(self._labels) or 'none'}"
        if self._highest is None:
            return "no malignancy was judged"
        malignancy, answer = self._highest
        media_ns = None if answer.frame is None else answer.frame.media_ns
        at = f"frame {answer.frame_index}" + ("" if media_ns is None else f", at {media_ns / 1e9:.2f} s")
        uncertain = answer.result is not None and answer.result.call_uncertain
        return f"highest malignancy {malignancy:.2f} ({at}{f', {UNCERTAIN_CALL}' if uncertain else ''})"


def _listed(counts: Counter[str]) -> str:
    return ", ".join(f"{words}: {number}" for words, number in counts.most_common())
