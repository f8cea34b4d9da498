"""All abstention rules of a frame in their order: which frames are seen but not judged, and why.

`LESION_MODEL_RULES` and `SCORE_MODEL_RULES` are the whole table. To add a rule: write a function that says whether it
applies, and a row in the table of the stage at which what it needs is there. A rule stands where it is to win over the
rules below it: the first that applies gives the frame's `Reason`. No other module decides that a frame is not judged.

    SIZE_RULES     before preprocessing, of the whole picture, and before the model, of its crop: (x, y, w, h)
    PIXEL_RULES    before the model, when the crop is known: its pixels, and the small picture of it (the pixel gate)
    OUTPUT_RULES   after a lesion model: its outputs, what was said of the body part, and the picture beside the crop
    ANATOMY_RULES  in place of these after a classifier or segmentation network, before its scores are read
    LABEL_RULES    and then: its labels, and the picture beside the crop

A frame that cannot be computed at all (too large, NaN in an output, a runtime that hangs) is `no_result`: that is no
abstention, and is not decided here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge.contracts.results import Reason
from edge.postprocess.gate_picture import GatePicture
from edge.postprocess.pixel_gate import (
    bright_pixels,
    coloured_share,
    flow_in,
    ground_share,
    hue_spread,
    texture_share,
)
from edge.postprocess.rule_table import AbstentionRule, first_reason
from edge.postprocess.tissue_proof import hides_tissue
from edge.postprocess.traces import shows_m_mode, shows_spectrum

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from edge.contracts.region import Box
    from edge.postprocess.judged_labels import JudgedAnatomy, JudgedLabels
    from edge.postprocess.model_outputs import JudgedOutputs
    from edge.postprocess.tissue_view import TissueView

    Judged = JudgedOutputs | JudgedLabels

MIN_SIDE = 16
"""Shortest side, in pixels, of a picture or crop that can hold a lesion and its surroundings."""
MIN_BRIGHT = 0.02
"""Least share brighter than background. Breast, heart, lung and eye scans have 0.23 and more."""
MIN_TEXTURE = 0.02
"""Least share with texture along both axes. Scans have 0.07 and more; bars, gradients and menus next to none."""
MAX_COLOURED = 0.6
"""Largest share of strong colour. A big Doppler box has about 0.15; photographs and colour bars pass one half easily,
but some scanners tint the whole picture, so that pale pictures are left to the model's anatomy head."""
MAX_HUE_SPREAD = 0.12
"""Largest spread of hues (red less blue, against the brightest channel) in a picture that is tinted everywhere."""
MAX_FLOW = 0.012
"""Largest share in the colours of flow. Less is a blob in a vessel beside a lesion, which is looked at without it."""
MIN_ALIKE, MAX_ALIKE_SNOW = 0.85, 0.3
"""Least correlation of neighbours in a scan, and the most in snow. Scans have 0.93 and more, text has 0.4 to 0.75."""
MIN_SPREAD_SNOW = 53.0
"""Least standard deviation of snow, in grey values."""
MIN_EVEN = 0.25
"""Least share of even areas in a menu or report, beside its text. Scans have 0.5 at most, and no text."""
MIN_TEXT_EDGES, MIN_FIELD_EDGES, MIN_CARD_EDGES = 0.08, 0.003, 0.0003
"""Least share of hard edges in a page of text, among fields and buttons, and in a card with a few letters or a logo."""
MAX_EVEN_BRIGHT = 0.8
"""Largest share of even areas in what is bright: menus with fields and buttons have more."""
MIN_EVEN_CARD, MIN_CARD_COLOUR = 0.9, 0.003
"""Least shares of even areas, and of strong colour, in a test picture, an empty screen or a vendor's card."""
MIN_GROUND = 0.4
"""Least share of one grey value in a menu or card, whose ground has one: a gradient has none."""
LIGHT_PAPER = 0.5
"""Least share of light pixels in a report."""
MAX_COMBING = 1.25
"""Largest difference of neighbouring lines against that of lines two apart. Scans have 0.9 at most, noise has 1."""
MAX_LAYERING = 0.93
"""Largest share of variance between rows: without contact nothing but the probe's own echoes is seen, 0.97 and more."""
MIN_DEEP_LAYERS = 0.5
"""Least brightness of the lower half of an M-mode against the upper one; the probe's own echoes have 0.4 and less."""
MIN_SHARPNESS = 0.28
"""Least sharpness at the model's scale. Breast scans have 0.32 and more, curved probes in the depth 0.27; blurred by
1 % of the picture's side a breast scan has 0.26 or less."""
MAX_UNSEEN = 0.25
"""A part outside of the crop that is larger than this share of it could hold a lesion: the picture is not clear."""


def pixel_gate(
    pixels: NDArray[np.uint8],
    crop: Box,
    crop_grey: NDArray[np.uint8] | None = None,
    view: TissueView | None = None,
) -> Reason | None:
    """Quality gate before the model: why this picture must not be judged, by its size and pixels alone.

    Args:
        pixels: (H, W) grey or (H, W, 3) RGB, uint8. Not changed.
        crop: (x, y, w, h) of the part that the model would see, in pixels, within the picture.
        crop_grey: (h, w) uint8, the grey of ``crop``, where preprocessing has made it already.
        view: of the small picture that the model would see; None: what only that shows is not asked.

    Returns:
        The reason of the first of `SIZE_RULES` and `PIXEL_RULES` that applies; None if nothing speaks against it.
    """
    reason = first_reason(SIZE_RULES, crop)
    return reason if reason is not None else first_reason(PIXEL_RULES, GatePicture(pixels, crop, crop_grey, view))


def too_small(box: Box) -> bool:
    """Whether a side of ``box``, (x, y, w, h) in pixels, is shorter than `MIN_SIDE`."""
    return min(box[2], box[3]) < MIN_SIDE


def black(picture: GatePicture) -> bool:
    """Whether hardly anything is brighter than background."""
    return bright_pixels(picture.sample) < MIN_BRIGHT * picture.sample.grey.size


def no_signal(picture: GatePicture) -> bool:
    """Whether it is areas of one colour each with little or nothing written on them."""
    if picture.drawn.even < MIN_EVEN_CARD:
        return False
    written = picture.drawn.edges > MIN_CARD_EDGES and ground_share(picture.sample) > MIN_GROUND
    return written or coloured_share(picture.sample) > MIN_CARD_COLOUR


def menu(picture: GatePicture) -> bool:
    """Whether it is text, or fields and buttons."""
    drawn = picture.drawn
    text = drawn.alikeness < MIN_ALIKE and drawn.even >= MIN_EVEN and drawn.edges > MIN_TEXT_EDGES
    fields = drawn.even_bright > MAX_EVEN_BRIGHT and drawn.edges > MIN_FIELD_EDGES
    return text or (fields and ground_share(picture.sample) > MIN_GROUND)


def report(picture: GatePicture) -> bool:
    """Whether it is text on light ground."""
    return picture.drawn.light > LIGHT_PAPER and menu(picture)


def interlaced(picture: GatePicture) -> bool:
    """Whether neighbouring lines show different moments, and lines two apart the same one."""
    return picture.drawn.combing > MAX_COMBING


def not_ultrasound(picture: GatePicture) -> bool:
    """Whether more of the picture has strong colour than any scan has, or all of it has colours of several hues."""
    return coloured_share(picture.sample) > MAX_COLOURED or hue_spread(picture.sample) > MAX_HUE_SPREAD


def colour_doppler(picture: GatePicture) -> bool:
    """Whether there is more red and blue than marks on a screen have."""
    return flow_in(picture.sample) > MAX_FLOW


def flat(picture: GatePicture) -> bool:
    """Whether there is next to no texture, as in bars, gradients and menus."""
    return texture_share(picture.sample) < MIN_TEXTURE


def even_layers(picture: GatePicture) -> bool:
    """Whether all columns show the same at all depths, as an M-mode of what hardly moves does."""
    view = picture.view
    if view is None or view.layering <= MAX_LAYERING:
        return False
    middle = view.grey.shape[0] // 2
    return float(view.grey[middle:].mean()) > MIN_DEEP_LAYERS * float(view.grey[:middle].mean())


def no_contact(picture: GatePicture) -> bool:
    """Whether all columns show the same, as the probe's own echoes do."""
    view = picture.view
    return view is not None and view.layering > MAX_LAYERING


def blurred(picture: GatePicture) -> bool:
    """Whether there is no speckle at the model's scale. Pictures that were enlarged for the model are not asked."""
    view = picture.view
    return view is not None and view.shows_speckle and view.sharpness < MIN_SHARPNESS


def snow(outputs: JudgedOutputs) -> bool:
    """Whether the anatomy head refuses a picture from black to white in which no two neighbours are alike."""
    drawn = outputs.drawn() if outputs.is_strange else None
    return drawn is not None and drawn.alikeness < MAX_ALIKE_SNOW and drawn.spread > MIN_SPREAD_SNOW


def spectral_doppler(outputs: JudgedOutputs) -> bool:
    """Whether the anatomy head refuses a spectrum over time that beats on a base line."""
    view = outputs.context.view
    return view is not None and outputs.is_strange and shows_spectrum(view.grey)


def m_mode(outputs: JudgedOutputs) -> bool:
    """Whether the anatomy head refuses layers that go up and down over time."""
    view = outputs.context.view
    return view is not None and outputs.is_strange and shows_m_mode(view.grey)


def wrong_anatomy(outputs: JudgedOutputs | JudgedAnatomy) -> bool:
    """Whether DICOM or the configuration names another body part than the model's, or the anatomy head sees another."""
    limits, part = outputs.limits, outputs.manifest.body_part
    return outputs.context.is_wrong_body_part(part, outputs.anatomy, limits.anatomy, limits.anatomy_stated)


def heads_disagree(outputs: JudgedOutputs) -> bool:
    """Whether the malignancy head calls the frame suspicious while the mask head shows no lesion."""
    return not outputs.lesions and outputs.suspicious


def too_uncertain(outputs: JudgedOutputs) -> bool:
    """Whether no lesion was found, but the malignancy lies strictly inside the manifest's interval of uncertain values.

    With a lesion that is a finding whose call is uncertain: the lesion must not be withheld for it.
    """
    return outputs.call_uncertain and not outputs.lesions


def no_label(labels: JudgedLabels) -> bool:
    """Whether no label reaches its threshold, and nothing says that there is nothing to find."""
    return not labels.found and not labels.nothing_found


def labels_disagree(labels: JudgedLabels) -> bool:
    """Whether there is nothing to find by one label, and something by another."""
    return labels.nothing_found and len(labels.found) > 1


def partly_seen(outputs: Judged) -> bool:
    """Whether nothing was found, but the picture holds another large part that the model did not see."""
    return outputs.nothing_found and outputs.context.unseen_share() > MAX_UNSEEN


def doppler_lesion(outputs: JudgedOutputs) -> bool:
    """Whether all that looks like a lesion is painted flow."""
    return not outputs.lesions and outputs.flow_lesions > 0


def tissue_not_seen(outputs: Judged) -> bool:
    """Whether nothing was found, and it is not proven that the whole scan shows tissue."""
    view = outputs.context.view
    return outputs.nothing_found and view is not None and hides_tissue(view)


def scan_area_unknown(outputs: Judged) -> bool:
    """Whether nothing was found, and it was not found either where in the picture the scan is."""
    return outputs.context.scan_unknown and outputs.nothing_found


SIZE_RULES: tuple[AbstentionRule[Box], ...] = (
    AbstentionRule(Reason.TOO_SMALL, too_small, "So few pixels cannot hold a lesion and its surroundings."),
)
PIXEL_RULES: tuple[AbstentionRule[GatePicture], ...] = (
    AbstentionRule(Reason.BLACK, black, "There is no picture: the probe is in the air, or there is no signal."),
    AbstentionRule(Reason.NO_SIGNAL, no_signal, "Grabbers show such pictures when no scanner sends one."),
    AbstentionRule(Reason.REPORT, report, "A page of text is no scan."),
    AbstentionRule(Reason.MENU, menu, "Text and buttons are no scan."),
    AbstentionRule(Reason.NOT_ULTRASOUND, not_ultrasound, "So much colour is a photograph or a test picture, no scan."),
    AbstentionRule(Reason.COLOUR_DOPPLER, colour_doppler, "Flow hides the tissue below it, and looks like a lesion."),
    AbstentionRule(Reason.FLAT, flat, "Tissue has speckle; a picture without texture shows none."),
    AbstentionRule(Reason.INTERLACED, interlaced, "Two moments in one picture look like texture that is not there."),
    AbstentionRule(Reason.M_MODE, even_layers, "One line of sight over time is no scan."),
    AbstentionRule(Reason.NO_CONTACT, no_contact, "The probe's own echoes are no tissue."),
    AbstentionRule(Reason.BLURRED, blurred, "The model knows sharp pictures only, and lesions vanish in others."),
)
OUTPUT_RULES: tuple[AbstentionRule[JudgedOutputs], ...] = (
    AbstentionRule(Reason.NO_SIGNAL, snow, "An analogue grabber shows snow when no scanner sends a picture."),
    AbstentionRule(Reason.SPECTRAL_DOPPLER, spectral_doppler, "A spectrum of velocities is no scan."),
    AbstentionRule(Reason.M_MODE, m_mode, "One line of sight over time is no scan."),
    AbstentionRule(Reason.WRONG_ANATOMY, wrong_anatomy, "The model was trained and tested on one body part only."),
    AbstentionRule(Reason.COLOUR_DOPPLER, doppler_lesion, "A blob of flow is no lesion, and may hide one."),
    AbstentionRule(Reason.HEADS_DISAGREE, heads_disagree, "Malignant without a lesion: one head must be wrong."),
    AbstentionRule(Reason.TOO_UNCERTAIN, too_uncertain, "Neither a lesion nor a low malignancy: it is not clear."),
    AbstentionRule(Reason.PARTLY_SEEN, partly_seen, "A part that was not judged may hold a lesion: it is not clear."),
    AbstentionRule(Reason.TISSUE_NOT_SEEN, tissue_not_seen, "What shows no tissue may hide a lesion: it is not clear."),
    AbstentionRule(Reason.SCAN_AREA_UNKNOWN, scan_area_unknown, "What cannot be told from menus is not clear."),
)
ANATOMY_RULES: tuple[AbstentionRule[JudgedAnatomy], ...] = (
    AbstentionRule(Reason.WRONG_ANATOMY, wrong_anatomy, "The model was trained and tested on one body part only."),
)
LABEL_RULES: tuple[AbstentionRule[JudgedLabels], ...] = (
    AbstentionRule(Reason.TOO_UNCERTAIN, no_label, "What is under its threshold is no answer."),
    AbstentionRule(Reason.HEADS_DISAGREE, labels_disagree, "Nothing and something cannot both be there."),
    AbstentionRule(Reason.PARTLY_SEEN, partly_seen, "A part that was not judged may hold something: it is not clear."),
    AbstentionRule(Reason.TISSUE_NOT_SEEN, tissue_not_seen, "What shows no tissue may hide it: it is not clear."),
    AbstentionRule(Reason.SCAN_AREA_UNKNOWN, scan_area_unknown, "What cannot be told from menus is not clear."),
)
LESION_MODEL_RULES = (*SIZE_RULES, *PIXEL_RULES, *OUTPUT_RULES)
SCORE_MODEL_RULES = (*SIZE_RULES, *PIXEL_RULES, *ANATOMY_RULES, *LABEL_RULES)
"""Every abstention rule of a frame, by kind of model, in the order in which they are asked."""
