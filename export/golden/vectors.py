"""Golden vectors of a bundle: rendered phantoms that no training saw, searched until they can prove something."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, Any

import numpy as np

from edge.contracts.errors import ModelError
from edge.contracts.manifest import LESION_MASK, MALIGNANCY
from edge.contracts.results import Reason, Status
from edge.models.bundle_checks import INFORMATIVE_RANGE
from edge.phantom.scene import PhantomScene
from edge.phantom.spec import PhantomSpec
from edge.postprocess.decide import decide
from edge.postprocess.model_outputs import dequantise
from edge.preprocess.preprocessor import Preprocessor
from export.bundle_file import pack_golden
from export.other_anatomy import eye_phantom
from export.predict import run_graph

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from numpy.typing import NDArray

    from edge.contracts.manifest import ModelManifest, PreprocessRecipe
    from edge.contracts.region import Region
    from edge.phantom.spec import Geometry

SIZES = ((320, 240), (400, 300), (352, 288))
"""An exact halving, and two that need Gaussian and resize."""
SEEDS = range(1, 60)
"""Training's phantoms begin at 1000."""
GEOMETRIES: tuple[Geometry, ...] = ("linear", "sector")
EMPTY_SEEDS = range(500, 560)
"""Seeds of phantoms without a lesion, for choosing thresholds."""
MAX_TRIED = 120
"""Phantoms that are tried at most for what is only welcome."""


@dataclass(frozen=True, slots=True, eq=False)
class GoldenCase:
    """One golden case: a frame, its tensor, the model's outputs, and what was decided from them."""

    pixels: NDArray[np.uint8]
    """(H, W) grey or (H, W, 3) RGB."""
    regions: tuple[Region, ...]
    tensor: NDArray[np.uint8]
    """(1, height, width, channels)."""
    outputs: dict[str, NDArray[Any]]
    """Raw, by head, (1, …)."""
    status: Status
    reason: Reason | None
    probability: float
    """Of malignancy, not calibrated."""
    kind: str
    """``linear``, ``sector`` or ``eye`` (`export.other_anatomy`), and ``grey`` or ``colour``: each is preprocessed on
    another path. ``altered``: one of `export.golden.search`."""
    empty: bool = False
    """No pixel of the mask reaches the lesion threshold, not even one of a lesion too faint to be reported."""


def make_golden(
    graph: bytes, manifest: ModelManifest, progress: Callable[[str], None], first: Iterable[GoldenCase] = ()
) -> list[GoldenCase]:
    """Search golden cases that fulfil all of `NEEDED` and `NEEDED_OF` the body part, and what they can of `WELCOME`.

    ``first``: cases that are tried before phantoms are. Raises ModelError, naming what no phantom fulfils.
    """
    return choose_cases(chain(first, _candidates(graph, manifest)), manifest, progress)


def choose_cases(
    candidates: Iterable[GoldenCase], manifest: ModelManifest, progress: Callable[[str], None]
) -> list[GoldenCase]:
    """Choose the first of ``candidates`` that fulfil what `make_golden` asks of them between them."""
    needed = NEEDED | NEEDED_OF.get(manifest.body_part, {})
    missing = needed | WELCOME
    chosen: list[GoldenCase] = []
    for number, case in enumerate(candidates):
        fulfilled = [name for name, test in missing.items() if test(case)]
        if fulfilled:
            chosen.append(case)
            for name in fulfilled:
                del missing[name]
            progress(f"  golden: {', '.join(fulfilled)} ({case.kind}, {case.status.value}, p {case.probability:.2f})")
        if not missing or (number >= MAX_TRIED and needed.keys().isdisjoint(missing)):
            break
    unmet = [name for name in missing if name in needed]
    if unmet:
        raise ModelError(
            f"no phantom of seeds {SEEDS.start} to {SEEDS.stop - 1} is: {'; '.join(unmet)}",
            hint="golden vectors would prove nothing: train longer, or with more phantoms in the mix",
        )
    if missing:
        progress(f"  golden: no phantom is {', '.join(missing)}")
    return chosen


def _weighed(case: GoldenCase) -> bool:
    """Whether the probability decided: judged, or, without a lesion, left unjudged for the probability alone."""
    return case.status in (Status.FINDING, Status.CLEAR) or case.reason is Reason.TOO_UNCERTAIN


def _telling(case: GoldenCase) -> bool:
    low, high = INFORMATIVE_RANGE
    return _weighed(case) and low + 0.03 < case.probability < high - 0.03  # not by a rounding error


def _gated(case: GoldenCase) -> bool:
    return case.reason is Reason.WRONG_ANATOMY and "eye" in case.kind


NEEDED: dict[str, Callable[[GoldenCase], bool]] = {
    "a finding": lambda case: case.status is Status.FINDING,
    "clear": lambda case: case.status is Status.CLEAR and case.empty,
    f"a probability between {INFORMATIVE_RANGE[0]} and {INFORMATIVE_RANGE[1]}": _telling,
}
"""What the cases must show between them, or they prove nothing."""
NEEDED_OF: dict[str, dict[str, Callable[[GoldenCase], bool]]] = {"BREAST": {"another anatomy": _gated}}
"""By body part, what they must show beside: a breast has layers, and a gate that takes an eye for one is none. The
shape of a scan says nothing: a sector is no other anatomy."""
WELCOME: dict[str, Callable[[GoldenCase], bool]] = {
    "a finding in colour": lambda case: case.status is Status.FINDING and "colour" in case.kind,
    "clear at another size": lambda case: case.status is Status.CLEAR and case.pixels.shape[:2] != SIZES[0][::-1],
}
"""Other paths through preprocessing. Where small differences show is searched: `export.golden.cases`."""


def pack_cases(cases: list[GoldenCase]) -> bytes:
    """Pack golden cases into the bytes of ``golden.npz``."""
    return pack_golden(
        [case.pixels for case in cases],
        [case.regions for case in cases],
        np.concatenate([case.tensor for case in cases]),
        {name: np.concatenate([case.outputs[name] for case in cases]) for name in cases[0].outputs},
    )


def _candidates(graph: bytes, manifest: ModelManifest) -> Iterator[GoldenCase]:
    for seed in SEEDS:
        for kind, grey, region in _pictures(seed, *SIZES[seed % len(SIZES)]):
            colour = seed % 2 == 0
            pixels = tint(grey) if colour else grey
            # A colour frame comes from a grabber, which knows no regions: the scan area is looked for.
            regions = () if colour else (region,)
            yield golden_case(graph, manifest, pixels, regions, f"{kind} {'colour' if colour else 'grey'}")


def _pictures(seed: int, width: int, height: int) -> Iterator[tuple[str, NDArray[np.uint8], Region]]:
    """Pictures of one seed, each with its kind and the scan's place: phantoms in both geometries, and an eye."""
    for geometry in GEOMETRIES:
        for lesions in (1, 0):
            spec = PhantomSpec(seed=seed, width=width, height=height, geometry=geometry, lesions=lesions)
            picture = PhantomScene(spec).render(0)
            yield geometry, picture.pixels, picture.region
    yield "eye", *eye_phantom(seed, width, height)


def golden_case(
    graph: bytes, manifest: ModelManifest, pixels: NDArray[np.uint8], regions: tuple[Region, ...], kind: str
) -> GoldenCase:
    """Make a golden case of one frame: its tensor, the model's outputs, and what is decided from them.

    ``pixels``: (H, W) uint8 grey or (H, W, 3) uint8 RGB.
    """
    tensor, placement = Preprocessor(manifest.recipe)(pixels, regions)
    outputs = run_graph(graph, tensor)
    verdict = decide(outputs, manifest, placement, regions, pixels)
    probability = dequantise(outputs[MALIGNANCY], manifest.heads[MALIGNANCY].tensor)[0, 1]
    mask = dequantise(outputs[LESION_MASK], manifest.heads[LESION_MASK].tensor)
    empty = bool(mask.max() < manifest.thresholds.lesion)
    decision = (verdict.status, verdict.reason, float(probability))
    return GoldenCase(pixels, regions, tensor, outputs, *decision, kind, empty)


def empty_tensors(recipe: PreprocessRecipe) -> NDArray[np.uint8]:
    """Tensors of phantoms without a lesion, (n, height, width, channels) uint8. None of them is a golden one."""
    preprocess = Preprocessor(recipe)
    tensors = []
    for seed in EMPTY_SEEDS:
        width, height = SIZES[seed % len(SIZES)]
        scene = PhantomScene(PhantomSpec(seed=seed, width=width, height=height, lesions=0))
        tensors.append(preprocess(scene.pixels(0), (scene.region,))[0][0])
    return np.stack(tensors)


def tint(grey: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Tint a grey picture sepia, as some scanners show: (H, W) uint8 to (H, W, 3) uint8 RGB.

    The channels differ, so that their weights in the conversion to grey matter.
    """
    return np.stack((grey, grey - grey // 16, grey - grey // 4), axis=2)
