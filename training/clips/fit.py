"""Fit of the recurrent network: Adam over batches of whole sequences, weights averaged, the same for the same seed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from training.clips.gru import first_weights, gradient, scaled
from training.clips.sequences import padded

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from training.clips.gru import Floats, Weights
    from training.clips.recipe import ClipNetworkSection
    from training.clips.sequences import FeatureSequence

MAX_NORM = 1.0
"""Longer gradients are shortened to this."""
AVERAGE_FROM = 0.5
"""From this share of the steps on, the weights that are kept are the mean of those passed through."""
NOISE = 0.02
"""Standard deviation of what is added to each scaled feature: about two steps of int8."""

ROUNDING = 16 / 127
"""Most that is added to each state at each step. A network that keeps what it knows in small differences of its state
loses it where int8 rounds, step by step to the same side: with less noise than this, int8 was up to 0.06 off."""


def fit(
    sequences: Sequence[FeatureSequence],
    how: ClipNetworkSection,
    seed: int,
    log: Callable[[str], None] = lambda _: None,
    views: Callable[[np.random.Generator], Sequence[FeatureSequence]] = lambda _: (),
) -> Weights:
    """Fit the weights of a network to sequences.

    ``views`` draws further sequences anew for each epoch: sets of pictures have no order of their own.
    """
    rng = np.random.default_rng(seed)
    weights = first_weights(how.units, seed)
    adam = _Adam(weights, how.learning_rate, how.weight_decay)
    mean = {name: np.zeros_like(value) for name, value in weights.items()}
    kept = 0

    def disturb(state: Floats) -> Floats:
        return np.clip(state + rng.uniform(-ROUNDING, ROUNDING, state.shape), -1, 1).astype(np.float32)

    for epoch in range(how.epochs):
        drawn = [*sequences, *views(rng)]
        losses = []
        batches = _batches(drawn, how.batch, rng)
        for number, batch in enumerate(batches):
            x, labels, counts = padded(batch)
            values = scaled(x)
            values += rng.normal(0, NOISE, values.shape).astype(np.float32)
            loss, slope = gradient(weights, values, labels, counts, disturb)
            done = (epoch + number / len(batches)) / how.epochs
            adam.step(weights, slope, 0.5 * (1 + np.cos(np.pi * done)))
            losses.append(loss)
            if done >= AVERAGE_FROM:
                kept += 1
                for name, value in weights.items():
                    mean[name] += (value - mean[name]) / kept
        if epoch % max(1, how.epochs // 5) == 0 or epoch + 1 == how.epochs:
            log(f"epoch {epoch + 1} of {how.epochs}: loss {np.mean(losses):.4f}")
    return mean if kept else weights


def _batches(sequences: Sequence[FeatureSequence], size: int, rng: np.random.Generator) -> list[list[FeatureSequence]]:
    """Sequences of about the same length together, in a random order: little is padded."""
    order = sorted(rng.permutation(len(sequences)).tolist(), key=lambda k: len(sequences[k].x) // 8)
    parts = [order[begin : begin + size] for begin in range(0, len(order), size)]
    return [[sequences[k] for k in parts[p]] for p in rng.permutation(len(parts))]


class _Adam:
    """Adam (Kingma & Ba 2015) with decoupled decay of the matrices."""

    def __init__(self, weights: Weights, rate: float, decay: float) -> None:
        self._first = {name: np.zeros_like(value) for name, value in weights.items()}
        self._second = {name: np.zeros_like(value) for name, value in weights.items()}
        self._rate, self._decay, self._steps = rate, decay, 0

    def step(self, weights: Weights, slope: Weights, share: float) -> None:
        self._steps += 1
        norm = float(np.sqrt(sum(float((value**2).sum()) for value in slope.values())))
        shrink = min(1.0, MAX_NORM / max(norm, 1e-9))
        for name, value in weights.items():
            g = slope[name] * shrink
            self._first[name] += 0.1 * (g - self._first[name])
            self._second[name] += 0.001 * (g**2 - self._second[name])
            first = self._first[name] / (1 - 0.9**self._steps)
            second = self._second[name] / (1 - 0.999**self._steps)
            value -= share * self._rate * first / (np.sqrt(second) + 1e-7)
            if value.ndim == 2:
                value *= 1 - share * self._rate * self._decay
