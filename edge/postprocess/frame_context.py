"""What is known of a frame beside its pixels and its model's outputs: whoever judges it is given this."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from edge.postprocess.body_part import contradicts, names_the_same

if TYPE_CHECKING:
    from collections.abc import Callable

    from edge.postprocess.tissue_view import TissueView


@dataclass(frozen=True, slots=True)
class FrameContext:
    """What source, configuration and preprocessing know of a frame; without any of it a frame is judged, too."""

    body_part: str | None = None
    """What DICOM or the configuration says is scanned; None: nothing is said."""
    body_part_disputed: bool = False
    """Whether DICOM names another body part than the configuration, which wins."""
    unseen: Callable[[], float] | None = None
    """Measures scan data beside the crop, as a share of it: a pass over the whole picture. None: there is none."""
    scan_unknown: bool = False
    """Whether the outline of the scan was looked for, and not found."""
    view: TissueView | None = None
    """What the model saw, as a small grey picture. None: it need not prove that tissue was seen."""

    def unseen_share(self) -> float:
        """Scan data beside the crop, as a share of it; 0 where nobody measures it. Costs a pass over the picture."""
        return 0.0 if self.unseen is None else self.unseen()

    def is_wrong_body_part(
        self, expected: str, score: float | None, limit: float | None, limit_stated: float | None
    ) -> bool:
        """Whether another body part than ``expected`` is stated, or the anatomy head sees another.

        Whoever states one knows better than the picture, and is asked first. Stating the right one does not overrule
        the picture: its limit is only lower then, where there is a second one and nobody contradicts.

        Args:
            expected: the model's body part; empty: any.
            score: of the anatomy head, 0 to 1; None: there is no such head.
            limit: a lower score is another body part; None: there is no limit.
            limit_stated: the same where the right part is stated; None: ``limit``.
        """
        if expected and contradicts(self.body_part, expected):
            return True
        if limit_stated is not None and names_the_same(self.body_part, expected) and not self.body_part_disputed:
            limit = limit_stated
        return score is not None and limit is not None and score < limit


NOTHING_KNOWN = FrameContext()
"""Context of a frame of which nothing is known."""
