"""Measured sizes beside the true ones of the phantom."""

from __future__ import annotations

import msgspec
import pytest
from demo_messages import finding, true_lesion

from edge.demo.ground_truth import compare_sizes
from edge.phantom.scene import PhantomSpec
from edge.schema import examples


def test_sizes_are_compared_with_the_truth_of_the_same_frame():
    spec = PhantomSpec(seed=1, lesions=1)
    (one,) = compare_sizes([finding(1, frame=40, lesion=true_lesion(40))], spec)
    assert one.true == pytest.approx(one.measured)
    assert compare_sizes([finding(1, lesion=msgspec.structs.replace(examples.LESION, long_axis_mm=None))], spec) == []
