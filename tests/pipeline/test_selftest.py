"""Golden outputs are compared head by head, each within what its runtime's family is allowed."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
import pytest

from edge.contracts.errors import ModelError
from edge.contracts.manifest import ANATOMY, LESION_MASK, MALIGNANCY, Golden
from edge.contracts.tensors import RuntimeSpec
from edge.models.bundle import load_bundle
from edge.pipeline.selftest import require_selftest, run_selftest

if TYPE_CHECKING:
    from edge.models.bundle import Bundle

SPLIT = Golden(
    max_abs_diff={"xnnpack": 0, "gpu": 5},
    by_head={"reference": {MALIGNANCY: 3, LESION_MASK: 60}, "gpu": {LESION_MASK: 20}},
)


class Shifted:
    """A runtime that knows the golden outputs and gives them moved by so many steps, by head, in one value each."""

    def __init__(self, bundle: Bundle, family: str, steps: dict[str, int]) -> None:
        heads = {name: head.tensor for name, head in bundle.manifest.heads.items()}
        self.spec = RuntimeSpec(
            name="shifted", family=family, delegate=None, version="0", input=bundle.manifest.input, outputs=heads
        )
        self._golden, self._steps = bundle.golden, steps
        self._case = 0

    def submit(self, tensor: Any) -> None:
        equal = (self._golden.tensors == tensor.values).reshape(len(self._golden), -1).all(axis=1)
        self._case = int(np.flatnonzero(equal)[0])

    def wait(self, timeout_s: float) -> dict[str, Any]:
        outputs = {}
        for name, values in self._golden.expected(self._case).items():
            moved = values.astype(np.int32)
            first = moved.reshape(-1)[:1]
            first += self._steps.get(name, 0) if first[0] < 128 else -self._steps.get(name, 0)
            outputs[name] = moved.astype(values.dtype)
        return outputs

    def close(self) -> None:
        pass


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    """The shipped one, with other tolerances."""
    shipped = load_bundle()
    return replace(shipped, manifest=msgspec.structs.replace(shipped.manifest, golden=SPLIT))


@pytest.mark.parametrize(
    ("family", "steps", "wrong"),
    [
        ("reference", {MALIGNANCY: 3, LESION_MASK: 60}, None),
        ("reference", {MALIGNANCY: 4, LESION_MASK: 60}, MALIGNANCY),  # the mask's freedom is not malignancy's
        ("reference", {LESION_MASK: 61}, LESION_MASK),
        ("reference", {ANATOMY: 1}, ANATOMY),  # a head that nothing is said of must be equal
        ("gpu", {MALIGNANCY: 5, LESION_MASK: 20}, None),  # by head where it is told, else the family's one number
        ("gpu", {MALIGNANCY: 6}, MALIGNANCY),
        ("gpu", {LESION_MASK: 21}, LESION_MASK),
        ("onnx", {MALIGNANCY: 3, LESION_MASK: 60}, None),  # not named: as the reference kernels
        ("onnx", {LESION_MASK: 61}, LESION_MASK),
        ("xnnpack", {}, None),
        ("xnnpack", {LESION_MASK: 1}, LESION_MASK),
    ],
)
def test_each_head_is_held_to_its_own_tolerance(bundle, family, steps, wrong):
    report = run_selftest(bundle, Shifted(bundle, family, steps))
    assert report.cases == len(bundle.golden)
    assert {head for head, off in report.worst.items() if off} == {head for head, n in steps.items() if n}
    if wrong is None:
        assert report.ok, report.problems
    else:
        assert len(report.problems) == len(bundle.golden)
        assert all(f"{wrong} differs by {steps[wrong]} steps" in line for line in report.problems)
        with pytest.raises(ModelError, match=f"{wrong} differs"):
            require_selftest(bundle, Shifted(bundle, family, steps))


def test_a_bundle_with_one_number_a_family_is_read_as_before():
    old = msgspec.convert({"max_abs_diff": {"xnnpack": 0, "reference": 13}}, Golden)
    assert {old.allowed("reference", head) for head in (MALIGNANCY, LESION_MASK, ANATOMY)} == {13}
    assert old.allowed("xnnpack", LESION_MASK) == 0
    assert msgspec.convert({"max_abs_diff": {"xnnpack": 0}}, Golden).allowed("reference", MALIGNANCY) == 0
