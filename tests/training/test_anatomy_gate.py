"""Anatomy gate: fit, limits, evaluation by families left out, its file. Needs scikit-learn, of the training extra."""

from __future__ import annotations

import json

import numpy as np
import pytest

pytest.importorskip("sklearn")

from edge.contracts.errors import UsageError
from training.gate.anatomy_gate import BANDS, BLOCKS, fit, score_of, without
from training.gate.examples import GateExamples
from training.gate.head_file import write_head
from training.gate.leave_one_out import leave_one_out
from training.recipe import GateSection

CHANNELS = {"block4": 2, "block7": 3, "block10": 3, "block15": 4}
OPTIONS = GateSection(components=20, units=4, networks=2, epochs=200)


def cloud(rng: np.random.Generator, count: int, order: tuple[float, float, float]) -> dict[str, np.ndarray]:
    """Features whose bands lie at ``order``: what is told apart is the order of layers."""
    means = {name: np.repeat(order, size) for name, size in CHANNELS.items()}
    return {name: rng.normal(means[name], 0.5, (count, BANDS * size)) for name, size in CHANNELS.items()}


@pytest.fixture(scope="module")
def world():
    """Breasts with layers in one order; organs with the same layers in other orders."""
    rng = np.random.default_rng(0)
    parts = {
        "picture": (300, (0.0, 1.0, 2.0), 1), "bent": (100, (0.2, 1.1, 2.1), 1), "hearts": (80, (2.0, 1.0, 0.0), 0),
        "cards": (80, (1.0, 0.0, 2.0), 0),
    }  # fmt: skip
    clouds = [cloud(rng, n, order) for n, order, _ in parts.values()]
    found = {name: np.concatenate([c[name] for c in clouds]) for name in BLOCKS}
    wanted = np.concatenate([np.full(n, side) for n, _, side in parts.values()])
    families = np.concatenate([np.full(n, name) for name, (n, _, _) in parts.items()])
    tensors = np.zeros((len(wanted), 1, 1, 3), np.uint8)
    data = GateExamples(tensors, wanted, families, np.full(len(wanted), ""))
    return rng, found, data, cloud(rng, 200, (0.0, 1.0, 2.0))


def limit_of(held):
    return lambda gate: float(np.quantile(gate.logits(held), 0.02))


def test_the_gate_tells_layers_by_their_order(world):
    rng, found, data, held = world
    gate = fit(found, data, OPTIONS)
    limit = limit_of(held)(gate)
    assert (gate.logits(cloud(rng, 200, (0.0, 1.0, 2.0))) >= limit).mean() > 0.9
    assert (gate.logits(cloud(rng, 200, (2.0, 1.0, 0.0))) >= limit).mean() < 0.02
    assert (gate.logits(held) < limit).mean() == pytest.approx(0.02, abs=0.006)


def test_scaled_puts_the_limit_at_even_odds_and_changes_no_order(world):
    _, found, data, held = world
    gate = fit(found, data, OPTIONS)
    limit = limit_of(held)(gate)
    scaled = gate.scaled(limit, float(np.median(gate.logits(held))))
    assert np.array_equal(scaled(held) >= 0.5, gate.logits(held) >= limit)
    assert np.median(scaled.logits(held)) == pytest.approx(3.0)


def test_no_limit_is_chosen_where_known_breasts_do_not_differ(world):
    _, found, data, _ = world
    gate = fit(found, data, OPTIONS)
    for median in (1.0, 0.5, float("nan")):
        with pytest.raises(UsageError, match="too few"):
            gate.scaled(1.0, median)


def test_equal_examples_give_equal_gates(world):
    _, found, data, held = world
    assert np.array_equal(fit(found, data, OPTIONS).logits(held), fit(found, data, OPTIONS).logits(held))


def test_a_file_is_judged_by_a_gate_that_never_saw_its_family(world):
    rng, found, data, held = world
    seen = []
    judged = {"a.dcm": ("hearts", cloud(rng, 10, (2.0, 1.0, 0.0))), "b.dcm": ("hearts", cloud(rng, 5, (0.0, 1.0, 2.0)))}
    table = leave_one_out(found, data, judged, limit_of(held), OPTIONS, seen.append)
    assert table["a.dcm"]["frames"] == 10
    assert table["b.dcm"]["passed"] >= 4  # breasts under a heart's name: the gate tells by looks
    alone = fit(found, data, OPTIONS, without(data, "hearts"))
    assert np.allclose(table["a.dcm"]["scores"], score_of(alone.logits(judged["a.dcm"][1])))
    assert not np.allclose(table["a.dcm"]["scores"], fit(found, data, OPTIONS)(judged["a.dcm"][1]))
    assert len(seen) == 2


def test_families_weigh_by_kind_whatever_their_size(world):
    _, _, data, _ = world
    weights = data.weights(np.ones(len(data.wanted), bool))
    by_family = {name: weights[data.families == name].sum() for name in np.unique(data.families)}
    assert by_family["hearts"] == pytest.approx(by_family["cards"])
    assert by_family["bent"] == pytest.approx(2 * by_family["picture"])
    assert weights[data.wanted == 1].sum() == pytest.approx(weights[data.wanted == 0].sum())


def test_real_files_weigh_more_than_what_is_drawn():
    families = np.array(["picture", "hearts", "vessel", "haze", "phantom"])
    data = GateExamples(np.zeros((5, 1, 1, 3), np.uint8), np.array([1, 0, 0, 0, 1]), families, np.full(5, ""))
    picture, hearts, vessel, haze, phantom = data.weights(np.ones(5, bool))
    assert haze > hearts > vessel
    assert picture > phantom


def test_the_file_of_a_head_computes_what_the_gate_does(world, tmp_path):
    _, found, data, held = world
    gate = fit(found, data, OPTIONS)
    write_head(gate, {block: f"graph/{block}" for block in BLOCKS}, tmp_path / "gate.npz")
    with np.load(tmp_path / "gate.npz") as file:
        layers, arrays = json.loads(str(file["layers"])), {k: file[k] for k in file.files if k != "layers"}
    results: dict[str, np.ndarray] = {}
    for layer in layers:
        name, inputs = layer["name"], [results[each] for each in layer.get("inputs", [])]
        if layer["kind"] == "tensor":
            results[name] = held[layer["tensor"].removeprefix("graph/")].reshape(len(held["block4"]), BANDS, 1, -1)
        elif layer["kind"] == "mean":
            assert layer["bands"] == BANDS
            results[name] = inputs[0]
        elif layer["kind"] == "conv":
            results[name] = np.einsum("nyxc,yxco->no", inputs[0], arrays[f"{name}.weights"])[:, None, None]
            results[name] = results[name] + arrays.get(f"{name}.bias", 0.0)
        else:
            results[name] = inputs[0] + inputs[1]
        if layer.get("activation") == "relu":
            results[name] = np.maximum(results[name], 0)
    assert np.allclose(np.clip(results["logit"][:, 0, 0, 0], -8, 8), gate.logits(held))
