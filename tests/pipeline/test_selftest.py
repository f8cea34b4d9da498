"""Golden outputs are compared head by head, each within what its runtime's family is allowed."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
import pytest

from edge.contracts.errors import ModelError
from edge.contracts.manifest import ANATOMY, FLOAT_TOLERANCE, LESION_MASK, MALIGNANCY, Golden
from edge.contracts.tensors import RuntimeSpec, TensorSpec
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


FLOAT_GOLDEN = {
    MALIGNANCY: np.array([[0.02, 0.98], [0.6, 0.4]], np.float32),
    LESION_MASK: np.linspace(0, 1, 8, dtype=np.float32).reshape(2, 2, 2, 1),
    ANATOMY: np.array([[0.9], [0.1]], np.float32),
}


class Given:
    """A runtime that gives the outputs that it was told, case after case."""

    def __init__(self, bundle: Bundle, outputs: list[dict[str, Any]], family: str = "xnnpack") -> None:
        heads = {name: head.tensor for name, head in bundle.manifest.heads.items()}
        self.spec = RuntimeSpec(
            name="given", family=family, delegate=None, version="0", input=bundle.manifest.input, outputs=heads
        )
        self._outputs = iter(outputs)

    def submit(self, tensor: Any) -> None:
        pass

    def wait(self, timeout_s: float) -> dict[str, Any]:
        return next(self._outputs)

    def close(self) -> None:
        pass


def with_outputs(golden: dict[str, Any], tolerances: Golden | None = None) -> Bundle:
    """The shipped bundle's first cases, with other heads: what ``golden`` holds, (cases, …) each."""
    shipped = load_bundle()
    cases = len(next(iter(golden.values())))
    heads = {
        name: msgspec.structs.replace(
            shipped.manifest.heads[name],
            tensor=TensorSpec(shape=(1, *values.shape[1:]), dtype=values.dtype.name, scale=1.0, zero_point=0),
        )
        for name, values in golden.items()
    }
    manifest = msgspec.structs.replace(shipped.manifest, heads=heads, golden=tolerances or Golden(max_abs_diff={}))
    vectors = shipped.golden
    kept = replace(
        vectors,
        frames=vectors.frames[:cases],
        regions=vectors.regions[:cases],
        tensors=vectors.tensors[:cases],
        outputs=golden,
    )
    return replace(shipped, manifest=manifest, golden=kept)


def answers(golden: dict[str, Any]) -> list[dict[str, Any]]:
    """What a perfect runtime would give, one dict a case, all of it writable."""
    cases = len(next(iter(golden.values())))
    return [{name: values[i : i + 1].copy() for name, values in golden.items()} for i in range(cases)]


@pytest.mark.parametrize("family", ["xnnpack", "reference", "gpu"])
def test_float_outputs_are_compared_as_floats(family):
    bundle, given = with_outputs(FLOAT_GOLDEN), answers(FLOAT_GOLDEN)
    assert run_selftest(bundle, Given(bundle, given, family)).ok
    given[0][MALIGNANCY] = given[0][MALIGNANCY][:, ::-1]  # [.02, .98] for [.98, .02]: as integers both are 0
    report = run_selftest(bundle, Given(bundle, given, family))
    assert len(report.problems) == 1
    assert "malignancy differs by 0.96" in report.problems[0]
    assert report.float_worst[MALIGNANCY] == pytest.approx(0.96)
    with pytest.raises(ModelError, match="malignancy differs"):
        require_selftest(bundle, Given(bundle, given, family))


@pytest.mark.parametrize(
    ("family", "off", "fits"),
    [
        ("xnnpack", 0.0015, True),  # the default
        ("xnnpack", 0.003, False),
        ("gpu", 0.018, True),
        ("gpu", 0.03, False),
        ("reference", 0.008, True),
        ("onnx", 0.008, True),  # not named: as the reference kernels
        ("onnx", 0.012, False),
    ],
)
def test_each_family_has_its_own_float_tolerance(family, off, fits):
    tolerances = Golden(max_abs_diff={"xnnpack": 0, "gpu": 200}, max_abs_float={"gpu": 0.02, "reference": 0.01})
    if family == "xnnpack":
        tolerances = Golden(max_abs_diff={"xnnpack": 0})
    bundle, given = with_outputs(FLOAT_GOLDEN, tolerances), answers(FLOAT_GOLDEN)
    given[1][ANATOMY] += np.float32(off)
    report = run_selftest(bundle, Given(bundle, given, family))
    assert report.ok == fits, report.problems


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("head", [MALIGNANCY, LESION_MASK, ANATOMY])
def test_what_is_not_finite_is_refused(head, value):
    bundle, given = with_outputs(FLOAT_GOLDEN), answers(FLOAT_GOLDEN)
    given[1][head].flat[0] = value
    assert f"{head} holds a value that is not finite" in run_selftest(bundle, Given(bundle, given)).problems[0]


def test_a_golden_value_that_is_not_finite_is_refused():
    golden = {**FLOAT_GOLDEN, ANATOMY: np.array([[0.9], [np.nan]], np.float32)}
    bundle = with_outputs(golden)
    assert "not finite" in run_selftest(bundle, Given(bundle, answers(golden))).problems[0]


@pytest.mark.parametrize(("dtype", "low", "high"), [(np.uint8, 0, 255), (np.int8, -128, 127)])
def test_the_whole_range_of_a_type_is_a_difference(dtype, low, high):
    """Subtracted in the type itself, 0 - 255 is 1 and -128 - 127 is 1."""
    golden = {MALIGNANCY: np.array([[low, high]], dtype)}
    bundle, given = with_outputs(golden), answers(golden)
    given[0][MALIGNANCY] = np.array([[high, low]], dtype)
    report = run_selftest(bundle, Given(bundle, given))
    assert report.worst == {MALIGNANCY: 255}
    assert "differs by 255 steps" in report.problems[0]


@pytest.mark.parametrize(
    ("got", "says"),
    [
        (None, "missing or of another shape"),
        (np.zeros((2,), np.float32), "missing or of another shape"),  # would be broadcast
        (np.zeros((1, 1), np.float32), "missing or of another shape"),
        (np.zeros((1, 2, 1), np.float32), "missing or of another shape"),
        (np.zeros((0, 2), np.float32), "missing or of another shape"),
        (np.zeros((1, 2), np.uint8), "is uint8, expected float32"),
        (np.zeros((1, 2), np.float64), "is float64, expected float32"),
    ],
)
def test_an_output_of_another_kind_is_refused(got, says):
    bundle, given = with_outputs(FLOAT_GOLDEN), answers(FLOAT_GOLDEN)
    if got is None:
        del given[0][MALIGNANCY]
    else:
        given[0][MALIGNANCY] = got
    report = run_selftest(bundle, Given(bundle, given))
    assert [line for line in report.problems if MALIGNANCY in line and says in line]


def test_nothing_compared_is_no_pass():
    bundle = with_outputs(FLOAT_GOLDEN)
    empty = replace(bundle.golden, frames=(), regions=(), tensors=bundle.golden.tensors[:0])
    report = run_selftest(replace(bundle, golden=empty), Given(bundle, []))
    assert report.problems == ["the model has no golden vectors: nothing was compared"]
    headless = replace(bundle.golden, outputs={n: v for n, v in FLOAT_GOLDEN.items() if n != ANATOMY})
    report = run_selftest(replace(bundle, golden=headless), Given(bundle, answers(FLOAT_GOLDEN)))
    assert "anatomy has no golden output" in report.problems[0]


def test_float_tolerances_fall_back():
    assert Golden(max_abs_diff={}).allowed_float("xnnpack") == FLOAT_TOLERANCE
    named = Golden(max_abs_diff={}, max_abs_float={"reference": 0.01, "gpu": 0.02})
    assert [named.allowed_float(family) for family in ("gpu", "reference", "onnx")] == [0.02, 0.01, 0.01]
