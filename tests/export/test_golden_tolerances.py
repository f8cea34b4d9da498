"""Tolerances of other kernels: measured on the golden cases, with a margin, by family and head."""

from __future__ import annotations

import itertools

import pytest

from edge.contracts.manifest import ANATOMY, LESION_MASK, MALIGNANCY
from edge.models.bundle import SHIPPED_BUNDLE, load_bundle
from edge.models.bundle_checks import MAX_TOLERANCE, MAX_TOLERANCE_BY_HEAD
from edge.models.bundle_file import split_bundle
from export.golden import tolerances as module
from export.golden.tolerances import measure_tolerances, tolerances, with_margin
from export.golden.vectors import _candidates

KERNELS = {"reference": ["plain ones"], "onnx": ["ONNX Runtime 1"]}


def test_each_head_gets_what_was_measured_of_it_and_a_margin():
    found = tolerances({"reference": {MALIGNANCY: 3, LESION_MASK: 41, ANATOMY: 0}}, 5, KERNELS)
    assert found.allowed("reference", MALIGNANCY) == with_margin(3, MAX_TOLERANCE_BY_HEAD[MALIGNANCY]) == 7
    assert found.allowed("reference", LESION_MASK) == 41 + 20 + 2
    assert found.allowed("reference", ANATOMY) == 2
    assert found.allowed("xnnpack", LESION_MASK) == 0
    assert "over 5 golden cases" in found.method
    assert "reference (plain ones): anatomy 0, lesion_mask 41, malignancy 3" in found.method


def test_no_margin_goes_beyond_what_would_hide_a_broken_kernel():
    for head, most in MAX_TOLERANCE_BY_HEAD.items():
        assert with_margin(most, most) == most
        assert with_margin(0, most) < most, head
    assert max(MAX_TOLERANCE_BY_HEAD.values()) < 255 / 2
    assert min(MAX_TOLERANCE_BY_HEAD.values()) == MAX_TOLERANCE


def test_a_family_with_one_head_too_far_is_left_out_and_said_so():
    worst = {
        "reference": {MALIGNANCY: 1, LESION_MASK: 10},
        "onnx": {MALIGNANCY: MAX_TOLERANCE_BY_HEAD[MALIGNANCY] + 1, LESION_MASK: 0},
    }
    found = tolerances(worst, 4, KERNELS)
    assert set(found.by_head) == {"reference"}
    assert found.allowed("onnx", MALIGNANCY) == found.allowed("reference", MALIGNANCY) == 3
    assert "too far to be allowed" in found.method.partition("onnx")[2]
    none = tolerances({"reference": {LESION_MASK: MAX_TOLERANCE_BY_HEAD[LESION_MASK] + 1}}, 4, KERNELS)
    assert none.allowed("reference", LESION_MASK) == none.allowed("gpu", LESION_MASK) == 0


@pytest.mark.slow
def test_the_shipped_graph_is_measured_with_the_kernels_at_hand(monkeypatch):
    """LiteRT has other kernels than XNNPACK's everywhere; ONNX Runtime is told to be missing, as on many machines."""
    monkeypatch.setattr(module, "ONNX_NEEDS", ("no_such_package",))
    graph, manifest = split_bundle(SHIPPED_BUNDLE.read_bytes()).graph, load_bundle().manifest
    cases = list(itertools.islice(_candidates(graph, manifest), 4))
    said: list[str] = []
    found = measure_tolerances(graph, cases, said.append)
    assert set(found.by_head) <= {"reference"}
    assert found.max_abs_diff == {"xnnpack": 0}
    assert any("no_such_package is not installed" in line for line in said)
    assert found.method.count("LiteRT") == 1
    differ = [line for line in said if "differ from XNNPACK" in line]
    assert len(differ) == 1
    assert any(f"'{LESION_MASK}': 0" not in line for line in differ), "other kernels, yet no pixel moved"
