"""Blending of two samples: what it does to a step's loss."""

from __future__ import annotations

import numpy as np
import pytest

keras = pytest.importorskip("keras")
tf = pytest.importorskip("tensorflow")

from edge.contracts.manifest import LESION_MASK, MALIGNANCY  # noqa: E402
from training.loop import batches, make_step  # noqa: E402
from training.recipe import OptimiserSection  # noqa: E402


class Still:
    """An optimiser that moves nothing: a step then only tells its losses."""

    def apply(self, gradients: object, variables: object) -> None:
        pass


@pytest.fixture(scope="module")
def learner():
    keras.utils.set_random_seed(1)
    tap4, tap8 = keras.Input((4, 4, 3)), keras.Input((2, 2, 5))
    mask = keras.layers.Conv2D(1, 1, activation="sigmoid")(tap4)
    malignancy = keras.layers.Dense(2, activation="softmax")(keras.layers.Flatten()(tap8))
    return keras.Model([tap4, tap8], {MALIGNANCY: malignancy, LESION_MASK: mask})


@pytest.fixture
def batch():
    rng = np.random.default_rng(2)
    draw = lambda *shape: rng.uniform(0, 1, shape).astype(np.float32)  # noqa: E731  (short beside what it makes)
    masks = (draw(4, 4, 4, 1) > 0.5).astype(np.float32)
    labels, known, weights = (
        np.array([0, 1, 1, 0], np.int32),
        np.array([1, 1, 0, 1], np.float32),
        np.ones(4, np.float32),
    )
    return draw(4, 4, 4, 3), draw(4, 2, 2, 5), masks, labels, known, weights


def losses(learner, batch, share, mixing):
    step = make_step(learner, Still(), OptimiserSection(mixing=mixing, label_smoothing=0.0))
    return [float(v) for v in step(*(tf.constant(part) for part in (*batch, np.float32(share))))]


def test_a_sample_that_stays_itself_costs_what_it_cost(learner, batch):
    assert losses(learner, batch, np.ones(4), 0.4) == pytest.approx(losses(learner, batch, np.ones(4), 0.0), rel=1e-5)


def test_labels_and_features_are_blended_alike(learner, batch):
    share = np.array([0.9, 0.6, 0.7, 0.8], np.float32)
    tap8, labels, known = batch[1], batch[3], batch[4]
    mixed = share[:, None, None, None] * tap8 + (1 - share)[:, None, None, None] * tap8[::-1]
    p = learner([batch[0], mixed])[MALIGNANCY].numpy()
    wanted = np.eye(2)[labels] * known[:, None]
    wanted = share[:, None] * wanted + (1 - share)[:, None] * wanted[::-1]
    by_hand = -(wanted * np.log(p)).sum() / wanted.sum()
    assert losses(learner, batch, share, 0.4)[0] == pytest.approx(by_hand, rel=1e-4)


def test_an_unknown_label_asks_for_nothing(learner, batch):
    other = (*batch[:3], np.array([0, 1, 0, 0], np.int32), *batch[4:])  # the third is not known
    assert losses(learner, batch, np.ones(4), 0.0)[0] == pytest.approx(losses(learner, other, np.ones(4), 0.0)[0])


def test_every_sample_keeps_at_least_half_of_itself(tmp_path):
    np.save(tmp_path / "tap4.npy", np.zeros((8, 2, 2, 3), np.float16))
    np.save(tmp_path / "tap8.npy", np.zeros((8, 1, 1, 5), np.float16))
    np.save(tmp_path / "masks.npy", np.zeros((8, 2, 2), np.uint8))
    names = np.array([f"p{i}" for i in range(8)])
    kinds, labels = np.array(["picture"] * 8), np.zeros(8, np.int8)
    np.savez(tmp_path / "rows.npz", id=names, kind=kinds, label=labels, weight=np.ones(8))

    def shares(mixing):
        data, _ = batches(tmp_path, set(names), 4, (1, 0), mixing)
        return np.concatenate([part[-1].numpy() for part in data])

    mixed = shares(0.4)
    assert mixed.min() >= 0.5
    assert mixed.min() < 1
    assert np.array_equal(mixed, shares(0.4)), "they depend on seed and epoch alone"
    assert np.array_equal(shares(0.0), np.ones(8))
