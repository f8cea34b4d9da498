"""Fit of the anatomy gate's hidden layer: principal components in, several small networks side by side out."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from training.recipe import GateSection

    Floats = NDArray[np.float64]
    Network = tuple[Floats, Floats, Floats, float]
    """Kernel (features, units), bias (units,), weights of the sum (units,), offset."""

BATCH = 256
LEARNING_RATE = 2e-3
LEAST_DEVIATION = 1e-3
PICTURES = 5000
"""Examples at most, evenly spread, that the axes are found on."""


def fit_hidden_layer(values: Floats, wanted: NDArray[np.int_], weights: Floats, options: GateSection) -> Network:
    """Fit ``options.networks`` networks of ``options.units`` hidden units each, and put them side by side.

    Args:
        values: features (n, features).
        wanted: (n,) 1 where the sum shall be positive, else 0.
        weights: (n,) of the examples.
        options: section of the recipe.

    Their mean is steadier than each of them: what a family that no one has seen looks like to one is chance.
    """
    wanted_values = values[wanted == 1]
    centre, axes = principal_axes(wanted_values[:: -(-len(wanted_values) // PICTURES)], options.components)
    components = ((values - centre) @ axes).astype(np.float32)
    made = [_network(components, wanted, weights, options, seed) for seed in range(options.networks)]
    kernel = axes @ np.concatenate([each[0] for each in made], axis=1)
    bias = np.concatenate([each[1] for each in made]) - centre @ kernel
    weighted = np.concatenate([each[2] for each in made]) / len(made)
    return kernel, bias, weighted, float(np.mean([each[3] for each in made]))


def principal_axes(values: Floats, count: int) -> tuple[Floats, Floats]:
    """Centre (features,) and leading axes (features, ``count``): wide components are shrunk to their root's deviation.

    Features are standardised first.
    """
    centre, scale = values.mean(axis=0), values.std(axis=0) + LEAST_DEVIATION
    standard = (values - centre) / scale
    powers, axes = np.linalg.eigh(standard.T @ standard / len(standard))
    powers, axes = powers[::-1][:count], axes[:, ::-1][:, :count]
    return centre, axes / np.maximum(powers, LEAST_DEVIATION) ** 0.25 / scale[:, None]


def _network(
    components: NDArray[np.float32], wanted: NDArray[np.int_], weights: Floats, options: GateSection, seed: int
) -> Network:
    """One network, by Adam (Kingma & Ba 2015) with a penalty on large weights, on examples drawn by weight."""
    from sklearn.neural_network import MLPClassifier

    rng = np.random.default_rng(seed)
    network = MLPClassifier(
        (options.units,),
        alpha=options.penalty,
        batch_size=BATCH,
        learning_rate_init=LEARNING_RATE,
        max_iter=1,
        random_state=seed,
    )
    for _ in range(options.epochs):  # rare families are as frequent as others in every batch
        drawn = rng.choice(len(components), len(components), p=weights / weights.sum())
        network.partial_fit(components[drawn], wanted[drawn], classes=(0, 1))
    (kernel, out), (bias, offset) = network.coefs_, network.intercepts_
    return kernel.astype(np.float64), bias.astype(np.float64), out[:, 0].astype(np.float64), float(offset[0])
