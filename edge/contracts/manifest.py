"""``manifest.json``: model description inside the ``.tflite``: recipe, heads, thresholds. Untrusted until checked."""

from __future__ import annotations

import hashlib
from typing import Annotated, Literal

import msgspec

from edge.contracts.picture_recipe import PictureRecipe
from edge.contracts.score_rules import AreaRules as AreaRules
from edge.contracts.score_rules import LabelRules as LabelRules
from edge.contracts.score_rules import Probability as Probability
from edge.contracts.score_rules import ScoreRules as ScoreRules
from edge.contracts.tensors import TensorSpec

Judges = Literal["lesion", "classification", "segmentation", "detection"]
"""Kind of a model: what its outputs mean, and so how an answer becomes a verdict."""
Gate = Literal["anatomy", "none"]
"""What refuses pictures of other body parts: the model's anatomy head, or nothing."""

MALIGNANCY = "malignancy"
"""Head: (1, 2) class probabilities, benign first."""
LESION_MASK = "lesion_mask"
"""Head: (1, h, w, 1) lesion presence, at least a quarter of the input's resolution."""
ANATOMY = "anatomy"
"""Head: (1, 1) probability that the picture is of the manifest's body part."""
LABELS = "labels"
"""Head of a classifier: (1, n), one value for each of its labels."""
MASK = "mask"
"""Head of a segmentation network: (1, h, w, n), one value for each of its labels in each place of the input."""
NAMED_HEADS = {"lesion": MALIGNANCY, "classification": LABELS, "segmentation": MASK}
"""Head whose classes ``labels.txt`` names, by kind of model: those that can judge here."""
MAX_LABELS = 4096
"""Most labels of a classifier."""
MAX_MASK_VALUES = 3 * 2**19
"""Most values of a segmentation network's map, of all labels together: 6 MB of floats, twice in the golden vectors."""


FLOAT_TOLERANCE = 0.002
"""Largest absolute difference of a float output where the manifest names none: half a step of a probability in 8 bits.
Kernels in float32 differ by 0.0001 at most; half floats need a number of their own."""


class PreprocessRecipe(msgspec.Struct, frozen=True, kw_only=True):
    """Preprocessing recipe: how pixels become the input tensor; run by `edge.preprocess`.

    Only operations that are bit-equal on x86 and Arm.
    The order is the order of the fields: grey, crop, median, contrast, resize and pad. It is of version 1, and gets no
    more fields: each would change the digest of every bundle. Version 2 is `PictureRecipe`.
    """

    version: Literal[1] = 1
    width: int
    """Width of the input tensor, in pixels."""
    height: int
    channels: Literal[1, 3] = 3
    """Channels of the input tensor; 3 repeats the grey value: classifier tools expect three."""
    crop: Literal["scan-area", "full"] = "scan-area"
    """``scan-area``: the frame's own region if it has one, else the bounding box of what is not background."""
    background: Annotated[int, msgspec.Meta(ge=0, le=254)] = 12
    """Grey values up to this are background when the scan area is looked for."""
    median: Literal[0, 3, 5] = 0
    """Side of the median filter in source pixels; 0: none."""
    contrast: list[int] | None = None
    """256 grey values, the integer table that contrast is changed by; None: unchanged."""
    pad: Annotated[int, msgspec.Meta(ge=0, le=255)] = 0
    """Grey value beside the picture, whose aspect is kept."""

    def digest(self) -> str:
        """SHA-256, hex, of the recipe in canonical JSON; it stands in every finding."""
        return hashlib.sha256(msgspec.json.encode(self, order="sorted")).hexdigest()


class HeadSpec(msgspec.Struct, frozen=True, kw_only=True):
    """One output of the model, found by its name in the signature."""

    tensor: TensorSpec
    class_names: list[str] = []


class Thresholds(msgspec.Struct, frozen=True, kw_only=True):
    """Thresholds that turn probabilities into words, how they were chosen, and for what prevalence they hold."""

    lesion: Probability
    """A mask pixel at or over this is lesion."""
    lesion_score: Probability
    """A lesion whose mean presence is under this is not reported."""
    lesion_min_area: Annotated[float, msgspec.Meta(ge=0.0, le=1.0)]
    """Smallest lesion, as a share of the input tensor's area."""
    malignancy: Probability
    """Operating point: a finding whose malignancy is at or over this is suspicious."""
    operating_point: str
    """For people: how the malignancy threshold was chosen."""
    prevalence: Probability
    """Share of malignant lesions in the data that it was chosen and calibrated on."""
    anatomy: Probability
    """A picture whose anatomy output is under this is not of the body part."""
    anatomy_stated: Probability | None = None
    """Limit in place of ``anatomy``, at most as high, where the configuration or DICOM says that it is the body part;
    None: the same limit, whatever they say."""
    uncertain: tuple[Probability, Probability] | None = None
    """Interval strictly inside which a malignancy makes the call of a lesion uncertain (``call_uncertain``), and a
    picture without a lesion `too_uncertain`. None: no such rule was chosen."""


class Calibration(msgspec.Struct, frozen=True, kw_only=True):
    """Calibration of malignancy: Platt scaling of the head's output q, weighed by the presence of a lesion.

    p = sigmoid(slope * logit(q) + intercept + presence * (s - 1)), s being the largest value of the lesion mask, 0 to
    1: where the mask is sure of a lesion nothing changes, and where it sees none p is lowered by ``presence`` log odds.
    """

    slope: float = 1.0
    intercept: float = 0.0
    presence: Annotated[float, msgspec.Meta(ge=0.0, le=50.0)] = 0.0
    """Log odds that a picture without any presence of a lesion loses; 0: presence does not matter, as before 0.4.0.
    Only a manifest of version 2 may hold another value: readers that do not know this field would compute another p."""
    method: str = ""
    """For people: what it was fitted on, and what it would be, fitted on other pictures."""


class DataSource(msgspec.Struct, frozen=True, kw_only=True):
    """One data set that the model has seen, and for what."""

    name: str
    licence: str
    citation: str
    used_for: str


class Metric(msgspec.Struct, frozen=True, kw_only=True):
    """Measured figure of the model with its 95 % interval."""

    name: str
    value: float
    low: float
    high: float
    data: str
    n: int
    method: str
    """How the interval was made, and over what."""


class Golden(msgspec.Struct, frozen=True, kw_only=True):
    """Tolerance of golden outputs: how near to them a runtime must come."""

    max_abs_diff: dict[str, int]
    """Largest allowed difference by runtime family, in quantised steps, for heads that ``by_head`` does not name."""
    by_head: dict[str, dict[str, int]] = {}
    """Largest allowed difference by runtime family, then by head, in quantised steps. A mask has pixels on the rim of a
    lesion that move far where kernels round otherwise; a probability hardly moves, and must not be allowed what the
    mask is. Bundles made before have none."""
    method: str = ""
    """For people: what was measured, with which kernels, and what was added to it."""
    max_abs_float: dict[str, float] = {}
    """By runtime family, for heads with float outputs: the largest absolute difference of a value. A family that is not
    named is given what ``reference`` is, or `FLOAT_TOLERANCE`."""

    def allowed_float(self, family: str) -> float:
        """Absolute difference that values of float heads may have in a runtime of ``family``."""
        for name in (family, "reference"):
            if name in self.max_abs_float:
                return self.max_abs_float[name]
        return FLOAT_TOLERANCE

    def allowed(self, family: str, head: str) -> int:
        """Quantised steps that ``head`` may differ by in a runtime of ``family``.

        A family that is not named is given what ``reference``, TFLite's own kernels, is given: it too rounds otherwise
        inside a layer. XNNPACK is what the golden outputs were computed by: unnamed, it must match exactly.
        """
        for name in (family,) if family == "xnnpack" else (family, "reference"):
            if head in self.by_head.get(name, {}):
                return self.by_head[name][head]
            if name in self.max_abs_diff:
                return self.max_abs_diff[name]
        return 0


class BundleManifest(msgspec.Struct, frozen=True, kw_only=True):
    """Manifest of a model of any kind: what loop, runtimes and golden vectors need to know of it, and readers should.

    What only one kind has stands in its own class: `ModelManifest`, `ClassificationManifest`, `SegmentationManifest`.
    """

    manifest_version: int = 1
    """2 where something is used that readers of version 1 would pass over and then compute something else:
    ``calibration.presence``. 3 for other kinds of model than ``lesion``. Readers refuse what they do not know."""
    judges: Judges = "lesion"
    """Kind of the model. Absent, as in bundles made before: ``lesion``."""
    name: str
    version: str
    task: str
    body_part: str
    """Body part that the model judges, as DICOM spells BodyPartExamined: ``BREAST``; empty: any (no lesion model)."""
    licence: str
    graph_sha256: str = ""
    """SHA-256, hex, of the flatbuffer before the appended ZIP: damage is seen before native code reads it."""
    input: TensorSpec
    recipe_sha256: str
    """SHA-256, hex, of the recipe, which each kind has in its own class."""
    heads: dict[str, HeadSpec]
    golden: Golden
    training_data: list[DataSource]
    metrics: list[Metric]
    not_shown: list[str]
    """What the model never saw in training, for people."""
    git_revision: str
    created: str
    """Time at which the bundle was made: RFC 3339, UTC."""
    trained: str = ""
    """Time of the training run that its network comes from, where the bundle was made later out of another; empty:
    ``created``."""
    research_only: Literal[True] = True

    @property
    def gate(self) -> Gate:
        """What refuses pictures of other body parts."""
        return "anatomy" if ANATOMY in self.heads else "none"


class ModelManifest(BundleManifest, frozen=True, kw_only=True):
    """Manifest of a model that finds lesions and judges how likely they are malignant."""

    manifest_version: Literal[1, 2] = 1
    recipe: PreprocessRecipe
    thresholds: Thresholds
    calibration: Calibration


class PictureManifest(BundleManifest, frozen=True, kw_only=True):
    """Manifest of a model that gives scores of labels: what all kinds but ``lesion`` have."""

    manifest_version: Literal[3] = 3
    recipe: PictureRecipe

    @property
    def rules(self) -> ScoreRules:
        """Rules that turn the model's scores into labels or areas."""
        raise NotImplementedError

    @property
    def label_names(self) -> list[str]:
        """Names of all labels, in the order of the output; of a map with a background that one first."""
        return self.heads[NAMED_HEADS[self.judges]].class_names


class ClassificationManifest(PictureManifest, frozen=True, kw_only=True):
    """Manifest of a classifier: it gives a picture labels, and knows neither lesions nor malignancy."""

    labels: LabelRules

    @property
    def rules(self) -> LabelRules:
        """Rules that turn the model's scores into labels."""
        return self.labels


class SegmentationManifest(PictureManifest, frozen=True, kw_only=True):
    """Manifest of a segmentation network: it outlines areas of its labels, and knows neither lesions nor malignancy."""

    areas: AreaRules

    @property
    def rules(self) -> AreaRules:
        """Rules that turn the model's map into areas."""
        return self.areas
