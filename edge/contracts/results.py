"""Result states of a frame, the reasons for having none, and the lesion as it is reported."""

from __future__ import annotations

from enum import Enum

import msgspec

from edge.contracts.region import Box, Point


class Status(str, Enum):
    """Result state of a frame, one of four. A failure is never one of the first two."""

    FINDING = "finding"
    """Passed the gate, at least one lesion over the manifest's threshold, whether its call is certain or not."""
    CLEAR = "clear"
    """Passed the gate, no lesion detected in this frame. Never "healthy"."""
    ABSTAINED = "abstained"
    """Seen, but not judged."""
    NO_RESULT = "no_result"
    """Could not be computed."""


class Reason(str, Enum):
    """Reason why a frame was not judged (abstained), or not computed (no result)."""

    # abstained: the rules are in edge.postprocess.abstention_rules
    BLACK = "black"
    FLAT = "flat"
    TOO_SMALL = "too_small"
    NO_SIGNAL = "no_signal"
    """Snow, colour bars, an empty coloured screen or a vendor's card: what a grabber shows without a scanner."""
    MENU = "menu"
    """Text and drawn areas on dark ground."""
    REPORT = "report"
    """Text and drawn areas on light ground."""
    NOT_ULTRASOUND = "not_ultrasound"
    COLOUR_DOPPLER = "colour_doppler"
    """Blood flow is painted over the tissue, or is all that looks like a lesion."""
    M_MODE = "m_mode"
    """One line of sight over time, from left to right: an M-mode, alone or below a scan."""
    SPECTRAL_DOPPLER = "spectral_doppler"
    """Velocities of blood over time: a spectral (PW, CW) Doppler trace, alone or below a scan."""
    INTERLACED = "interlaced"
    """Two fields of different moments are woven into one picture, and the source does not say so."""
    NO_CONTACT = "no_contact"
    """Echoes of the probe's own surface: it is in the air, or has no gel."""
    BLURRED = "blurred"
    WRONG_ANATOMY = "wrong_anatomy"
    TOO_UNCERTAIN = "too_uncertain"
    """No lesion, but a malignancy that is neither low nor high. With a lesion it is a finding with `call_uncertain`."""
    HEADS_DISAGREE = "heads_disagree"
    PARTLY_SEEN = "partly_seen"
    """No lesion in the part that was judged, but the picture holds another part of some size."""
    TISSUE_NOT_SEEN = "tissue_not_seen"
    """No lesion, but it is not proven that the whole scan shows tissue: a shadow, lost contact, a part that is cut off,
    a picture that is too dark, too bright or upside down. A finding needs no such proof."""
    SCAN_AREA_UNKNOWN = "scan_area_unknown"
    """No lesion, and it was not found either where in the picture the scan is; that is never guessed."""
    # no_result
    STARTING = "starting"
    SOURCE_LOST = "source_lost"
    FROZEN = "frozen"
    DECODE_ERROR = "decode_error"
    TOO_LARGE = "too_large"
    POISON = "poison"
    """The process died twice while it read this file; it is left out until it changes."""
    RUNTIME_HUNG = "runtime_hung"
    RUNTIME_LOST = "runtime_lost"
    SELF_TEST_FAILED = "self_test_failed"
    NAN_OUTPUT = "nan_output"
    FAILED = "failed"
    """A bug of ours met this frame; the log has the traceback."""
    NO_FRAMES = "no_frames"
    """The source said nothing for a while, or this process stood still."""
    NOT_RECORDED = "not_recorded"
    """The disk took nothing for so long that what was found could not be kept."""
    STREAM_ENDED = "stream_ended"
    STOPPED = "stopped"
    """The daemon was stopped, or this stream (``stream/stop``)."""


class Lesion(msgspec.Struct, frozen=True, kw_only=True):
    """One lesion, in pixels of the source picture; in millimetres only where a calibration covers it."""

    box: Box
    outline: list[Point]
    """Outline of the lesion in pixels: closed polygon, first point not repeated."""
    centre: Point
    score: float
    """Presence, 0 to 1: how sure the mask is that a lesion is here. Not malignancy."""
    long_axis_mm: float | None = None
    short_axis_mm: float | None = None
    area_mm2: float | None = None
    mm_uncertainty: float | None = None
    """Half-width, in mm, of the interval around an axis that holds that of a person's outline in nine of ten lesions.

    From the mask's resolution, and from how sure the mask is. None where nothing was measured."""
    descriptors: dict[str, float] = {}
