"""Anatomy gate: fit, threshold, leave-one-family-out evaluation. Needs scikit-learn, of the training extra."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("sklearn")

from training.gate.anatomy_gate import fit, leave_one_out, threshold
from training.gate.examples import GateExamples
from training.recipe import GateSection

SIZES = {"pool8": 6, "pool16": 8, "merge8": 5, "merge16": 5}


def cloud(rng: np.random.Generator, count: int, shift: float) -> dict[str, np.ndarray]:
    return {name: rng.normal(shift, 1.0, (count, size)) for name, size in SIZES.items()}


@pytest.fixture
def world():
    """Pictures around 0, phantoms around 1, and two families of others at 4 and -4."""
    rng = np.random.default_rng(0)
    parts = {"picture": (300, 0.0, 1), "phantom": (60, 1.0, 1), "hearts": (80, 4.0, 0), "cards": (80, -4.0, 0)}
    clouds = [cloud(rng, n, shift) for n, shift, _ in parts.values()]
    found = {name: np.concatenate([c[name] for c in clouds]) for name in SIZES}
    wanted = np.concatenate([np.full(n, side) for n, _, side in parts.values()])
    families = np.concatenate([np.full(n, name) for name, (n, _, _) in parts.items()])
    data = GateExamples(np.zeros((len(wanted), 1, 1, 3), np.uint8), wanted, families)
    return rng, found, data, cloud(rng, 200, 0.0)


def test_the_gate_lets_its_kind_pass_and_no_other(world):
    rng, found, data, held = world
    gate = fit(found, data, held, GateSection(axes=6))
    limit = threshold(gate, held, 0.02)
    assert (gate(cloud(rng, 200, 0.0)) >= limit).mean() > 0.9
    assert (gate(cloud(rng, 200, 4.0)) >= limit).mean() < 0.02
    assert (gate(held) < limit).mean() == pytest.approx(0.02, abs=0.006)


def test_what_it_never_saw_is_far_from_all_it_knows(world):
    """Off the line from pictures to known others: the regression alone would let it pass."""
    rng, found, data, held = world
    gate = fit(found, data, held, GateSection(axes=8))
    strange = {name: rng.normal(0, 1, (100, n)) + 12 * np.sign(np.arange(n) % 2 - 0.5) for name, n in SIZES.items()}
    assert (gate(strange) >= threshold(gate, held, 0.02)).mean() == 0


def test_a_file_is_judged_by_a_gate_that_never_saw_its_family(world):
    rng, found, data, held = world
    seen = []
    judged = {"a.dcm": ("hearts", cloud(rng, 10, 4.0)), "b.dcm": ("hearts", cloud(rng, 5, 0.0))}
    table = leave_one_out(found, data, held, judged, GateSection(axes=6), seen.append)
    assert table["a.dcm"]["frames"] == 10
    assert table["a.dcm"]["passed"] == 0
    assert table["b.dcm"]["passed"] >= 4  # pictures under a heart's name: the gate tells by looks
    without = fit(found, data, held, GateSection(axes=6), without="hearts")
    assert np.allclose(table["a.dcm"]["scores"], without(judged["a.dcm"][1]))
    with_it = fit(found, data, held, GateSection(axes=6))
    assert not np.allclose(without.weights["pool8"], with_it.weights["pool8"])
    assert len(seen) == 2


def test_families_weigh_alike_whatever_their_size(world):
    _, _, data, _ = world
    weights = data.weights(np.ones(len(data.wanted), bool))
    by_family = {name: weights[data.families == name].sum() for name in np.unique(data.families)}
    assert by_family["picture"] == pytest.approx(by_family["phantom"])
    assert by_family["hearts"] == pytest.approx(by_family["cards"])
    assert weights[data.wanted == 1].sum() == pytest.approx(weights[data.wanted == 0].sum())
