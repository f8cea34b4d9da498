"""Manifest to judge by, and masks whose true outline is known, for the tests of postprocessing."""

from __future__ import annotations

from dataclasses import dataclass
from types import SimpleNamespace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from edge.contracts.manifest import (
    Calibration,
    Golden,
    HeadSpec,
    ModelManifest,
    PreprocessRecipe,
    Thresholds,
)
from edge.contracts.tensors import TensorSpec

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edge.preprocess.letterbox import Letterbox

SIDE = 160
CELLS = 40


def thresholds(**changes: object) -> Thresholds:
    values: dict[str, object] = {
        "lesion": 0.5,
        "lesion_score": 0.5,
        "lesion_min_area": 0.001,
        "malignancy": 0.4,
        "operating_point": "for tests",
        "prevalence": 0.3,
        "anatomy": 0.5,
    }
    return Thresholds(**{**values, **changes})  # type: ignore[arg-type]


def make_manifest(limits: Thresholds | None = None, calibration: Calibration | None = None) -> ModelManifest:
    """Quantised heads as the exporter writes them: probabilities in steps of 1/256."""

    def head(*shape: int) -> HeadSpec:
        return HeadSpec(tensor=TensorSpec((1, *shape), "uint8", 1 / 256, 0))

    recipe = PreprocessRecipe(width=SIDE, height=SIDE)
    return ModelManifest(
        name="test",
        version="1",
        task="lesion",
        body_part="BREAST",
        licence="Apache-2.0",
        input=TensorSpec((1, SIDE, SIDE, 3)),
        recipe=recipe,
        recipe_sha256=recipe.digest(),
        heads={"malignancy": head(2), "lesion_mask": head(CELLS, CELLS, 1), "anatomy": head(1)},
        thresholds=limits or thresholds(),
        calibration=calibration or Calibration(),
        golden=Golden(max_abs_diff={}),
        training_data=[],
        metrics=[],
        not_shown=[],
        git_revision="",
        created="2026-01-01T00:00:00Z",
    )


@dataclass(frozen=True)
class Ellipse:
    """In continuous source pixels; ``a`` and ``b`` are semi-axes, turned by ``angle`` radians."""

    cx: float
    cy: float
    a: float
    b: float
    angle: float = 0.0

    def contains(self, x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.bool_]:
        dx, dy = x - self.cx, y - self.cy
        u = dx * np.cos(self.angle) + dy * np.sin(self.angle)
        v = dy * np.cos(self.angle) - dx * np.sin(self.angle)
        return (u / self.a) ** 2 + (v / self.b) ** 2 <= 1


def perfect_mask(shape: Ellipse, box: Letterbox, cells: int = CELLS, side: int = SIDE) -> NDArray[np.float32]:
    """(cells, cells): the share of each cell that the ellipse covers, as a perfect model would say."""
    fine = 8
    at = (np.arange(cells * fine) + 0.5) * side / (cells * fine)
    sx, sy = box.scale
    x = (at - box.inner[0]) / sx + box.crop[0]
    y = (at - box.inner[1]) / sy + box.crop[1]
    xs, ys = np.meshgrid(x, y)
    left, top, w, h = box.crop
    seen = (xs >= left) & (xs <= left + w) & (ys >= top) & (ys <= top + h)
    hits = shape.contains(xs, ys) & seen
    return hits.reshape(cells, fine, cells, fine).mean(axis=(1, 3)).astype(np.float32)


@pytest.fixture(scope="session")
def kit() -> SimpleNamespace:
    """What stands above, for the test modules (which cannot import a conftest)."""
    return SimpleNamespace(
        side=SIDE,
        cells=CELLS,
        thresholds=thresholds,
        make_manifest=make_manifest,
        Ellipse=Ellipse,
        perfect_mask=perfect_mask,
    )
