"""Feature vectors of a stream's frames and of its tracked lesions, frame by frame, for research; see `FEATURES`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge.pipeline.video_features import FeatureMemory, has_features, surest_lesion

if TYPE_CHECKING:
    from edge.contracts.frame_result import Result
    from edge.pipeline.tracker import Tracker
    from edge.pipeline.video_features import Vector

FRAME = ""
"""Name of the row that is about the frame itself."""


class FeatureRows:
    """Computes the vectors of one stream; `begin_anew` between two exams or clips, as with its tracker."""

    def __init__(self) -> None:
        self.begin_anew()

    def begin_anew(self) -> None:
        """Forget all that was seen."""
        self._frame = FeatureMemory()
        self._tracks: dict[str, FeatureMemory] = {}

    def rows(self, tracker: Tracker, result: Result, at_ns: int) -> list[tuple[str, Vector]]:
        """Vector of the frame (`FRAME`), then of each open track by its id; none where nothing was computed.

        ``tracker``: has been given ``result``.
        """
        if not has_features(result):
            return []
        rows = [(FRAME, self._frame.vector(result, surest_lesion(result), at_ns))]
        tracks = tracker.open_tracks()
        self._tracks = {each.finding_id: self._tracks.get(each.finding_id) or FeatureMemory() for each in tracks}
        for each in tracks:
            seen = each.lesion if each.result is result else None
            rows.append((each.finding_id, self._tracks[each.finding_id].vector(result, seen, at_ns)))
        return rows
