"""Settings of tracking: when a lesion, or a label of a classifier, is new, changed or gone."""

from __future__ import annotations

from typing import Annotated

import msgspec

from edge.config.section import NotNegative, Positive, SettingsSection, Share

FRAMES_A_SECOND = 30
"""Frame rate by which settings that once counted frames are turned into seconds."""


class ConfirmSettings(SettingsSection, frozen=True):
    """Confirmation: how long a lesion is watched before it is `new`. docs/tracks.md shows what that trades for what."""

    seconds: NotNegative = 1.1
    """Seconds that are looked back on. 0: what one frame shows is new at once."""
    share: Share = 0.55
    """Share of their frames that must show the lesion, each by its presence: not at all up to 0.7, whole from 0.9 on.
    One that is never so sure is new once it is in 9 of 10 frames of three times as long."""
    gate_s: NotNegative = 2.0
    """Seconds before in which the anatomy gate must have let at least half of the frames pass."""


AT_ONCE = ConfirmSettings(seconds=0.0, share=0.0)
"""No confirmation: what one frame shows is new."""
SOON_GONE_S = 1 / 6
"""Seconds without a lesion until it has ended, where single frames decide: five frames of 30 a second."""


class TrackingSettings(SettingsSection, frozen=True):
    """Tracking: when a lesion, or a label of a classifier, is new, changed or gone."""

    confirm: ConfirmSettings = ConfirmSettings()
    match_iou: Share = 0.2
    """Boxes that overlap by this intersection over union are the same lesion; so is one that lies half in the other."""
    gone_after_s: Positive = 1.5
    """Seconds of judged frames without it until it has ended; as many that were not judged end it too."""
    gone_after_frames: Annotated[int, msgspec.Meta(ge=1)] | None = None
    """Old: frames instead of ``gone_after_s``, taken as 30 a second. None: it is not set."""
    update_malignancy: Share = 0.1
    """A change of malignancy, or of a label's score, by this much is an update."""
    update_iou: Share = 0.6
    """A box that overlaps the last published one less than this is an update; so is, of a segmentation network, an area
    whose size has changed by more: one is less than this share of the other."""
    update_every_s: Positive = 5.0
    """Seconds. A lesion or label still seen is updated at least this often."""

    def by_single_frames(self) -> TrackingSettings:
        """Copy by which one frame makes a lesion new, and a few without it end it, unless these say otherwise."""
        unset = self.gone_after_frames is None and self.gone_after_s == TrackingSettings().gone_after_s
        gone_after_s = SOON_GONE_S if unset else self.gone_after_s
        return msgspec.structs.replace(self, confirm=AT_ONCE, gone_after_s=gone_after_s)

    @property
    def gone_s(self) -> float:
        """Seconds without a lesion until it has ended, from whichever of the two settings says so."""
        return self.gone_after_s if self.gone_after_frames is None else self.gone_after_frames / FRAMES_A_SECOND

    @property
    def gone_frames(self) -> int:
        """Judged frames without a label until it has ended: labels are counted by frames."""
        return self.gone_after_frames or 5
