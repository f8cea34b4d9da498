"""Summary of a clip in one line: how many frames were judged, why others were not, and the most suspicious one."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from edge.contracts.results import Status
from edge.infer.output import printable, text_of
from edge.picture.wording import REASONS, UNCERTAIN_CALL, counted

if TYPE_CHECKING:
    from pathlib import Path

    from edge.infer.run import FileAnswer


class ClipSummary:
    """Counts the answers for one file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.answers = 0
        """Frames, and what could not be read."""
        self._frames = 0
        self._judged: Counter[Status] = Counter()
        self._uncertain_calls = 0
        self._not_judged: Counter[str] = Counter()
        self._failed: Counter[str] = Counter()
        self._highest: tuple[float, FileAnswer] | None = None
        self._labels: Counter[str] = Counter()
        """Frames by label, of a classifier."""
        self._of_lesions = True

    def add(self, answer: FileAnswer) -> None:
        """Count one more answer for the file."""
        self.answers += 1
        self._frames += answer.frame is not None
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
        words = "for no reason that was given" if reason is None else REASONS[reason]
        (self._not_judged if answer.status is Status.ABSTAINED else self._failed)[words] += 1

    def line(self) -> str:
        """The summary in one line, in ASCII but for the file's name."""
        found, clear = self._judged[Status.FINDING], self._judged[Status.CLEAR]
        parts = [
            f"{counted(self._frames, 'frame')} read",
            f"{found + clear} judged ({found} with a finding{self._uncertain_text()}, {clear} clear)",
        ]
        if self._not_judged:
            parts.append(f"{self._not_judged.total()} not judged ({_listed(self._not_judged)})")
        if self._failed:
            parts.append(f"{self._failed.total()} without a result ({_listed(self._failed)})")
        parts.append(self._highest_text())
        return f"clip {printable(text_of(self.path))}: {'; '.join(parts)}"

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
