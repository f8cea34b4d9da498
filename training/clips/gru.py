"""Gated recurrent unit with two outputs, in NumPy: its step, and the gradients of a whole sequence.

z = sigmoid(x Wz + h Uz + bz); r = sigmoid(x Wr + h Ur + br); n = tanh(x Wn + bn + r (h Un + cn)); h' = z h + (1 - z) n
(Cho et al. 2014, reset after the product). It is small enough to be fitted without TensorFlow, in seconds.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from edge.contracts.clip_model import FEATURES, SCALES

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    Floats = NDArray[np.float32]
    Weights = dict[str, Floats]

HEADS = ("malignancy", "presence")


def first_weights(units: int, seed: int) -> Weights:
    """Weights to begin with: small random ones; the update gate keeps most of the state at first."""
    rng = np.random.default_rng(seed)

    def drawn(rows: int, columns: int) -> Floats:
        return (rng.normal(0, 1 / np.sqrt(rows), (rows, columns))).astype(np.float32)

    bias = np.zeros(3 * units, np.float32)
    bias[:units] = 1.0
    return {
        "W": drawn(len(FEATURES), 3 * units),
        "U": drawn(units, 3 * units),
        "b": bias,
        "c": np.zeros(units, np.float32),
        "V": drawn(units, len(HEADS)),
        "d": np.zeros(len(HEADS), np.float32),
    }


def scaled(features: NDArray[np.float32]) -> Floats:
    """Features (…, 7) as the network sees them: each divided by its scale, within -1 and 1."""
    return np.asarray(np.clip(features / np.array(SCALES, np.float32), -1, 1), np.float32)


def sigmoid(z: Floats) -> Floats:
    """Logistic function, of any float32 array."""
    return np.asarray(0.5 * (1 + np.tanh(0.5 * z)), np.float32)


@dataclass(frozen=True, eq=False)
class Pass:
    """What one step computed, as far as its gradient needs it."""

    x: Floats
    h: Floats
    z: Floats
    r: Floats
    n: Floats
    inner: Floats
    after: Floats


def forward(weights: Weights, x: Floats, h: Floats) -> Pass:
    """One step, of scaled features (rows, 7) and states (rows, units)."""
    units = h.shape[1]
    from_x, from_h = x @ weights["W"] + weights["b"], h @ weights["U"]
    z = sigmoid(from_x[:, :units] + from_h[:, :units])
    r = sigmoid(from_x[:, units : 2 * units] + from_h[:, units : 2 * units])
    inner = from_h[:, 2 * units :] + weights["c"]
    n = np.tanh(from_x[:, 2 * units :] + r * inner)
    return Pass(x, h, z, r, n, inner, z * h + (1 - z) * n)


def logits(weights: Weights, state: Floats) -> Floats:
    """Log odds of malignancy and presence (rows, 2) of states (rows, units)."""
    return state @ weights["V"] + weights["d"]


def run(weights: Weights, x: Floats) -> Floats:
    """Log odds (rows, steps, 2) of scaled sequences (rows, steps, 7), from a state of zero."""
    h = np.zeros((len(x), len(weights["U"])), np.float32)
    found = []
    for t in range(x.shape[1]):
        h = forward(weights, x[:, t], h).after
        found.append(logits(weights, h))
    return np.stack(found, axis=1)


def gradient(
    weights: Weights, x: Floats, labels: Floats, counts: Floats, disturb: Callable[[Floats], Floats] | None = None
) -> tuple[float, Weights]:
    """Loss and its gradient over whole sequences.

    Args:
        weights: of the network.
        x: (rows, steps, 7) scaled features.
        labels: (rows, steps, 2) of malignancy and presence, 0 to 1.
        counts: (rows, steps, 2) weight of each label in the loss, 0 where it is not known.
        disturb: noise for a state, as int8 will have it; None: none.
    """
    h = np.zeros((len(x), len(weights["U"])), np.float32)
    passes, states = [], []
    for t in range(x.shape[1]):
        passes.append(forward(weights, x[:, t], h))
        h = passes[-1].after if disturb is None else disturb(passes[-1].after)
        states.append(h)
    out = np.stack([logits(weights, each) for each in states], axis=1)
    total = max(float(counts.sum()), 1e-9)
    losses = np.maximum(out, 0) - out * labels + np.log1p(np.exp(-np.abs(out)))
    back = (sigmoid(out) - labels) * counts / total
    found = {name: np.zeros_like(value) for name, value in weights.items()}
    dh = np.zeros_like(h)
    for t in range(x.shape[1] - 1, -1, -1):
        found["V"] += states[t].T @ back[:, t]
        found["d"] += back[:, t].sum(axis=0)
        dh = _backward(weights, passes[t], dh + back[:, t] @ weights["V"].T, found)
    return float((losses * counts).sum() / total), found


def _backward(weights: Weights, each: Pass, dh: Floats, found: Weights) -> Floats:
    """Gradient of the state before a step, of that after it; adds those of the weights to ``found``."""
    dn = dh * (1 - each.z) * (1 - each.n**2)
    dz = dh * (each.h - each.n) * each.z * (1 - each.z)
    dr = dn * each.inner * each.r * (1 - each.r)
    from_x, from_h = np.concatenate([dz, dr, dn], axis=1), np.concatenate([dz, dr, dn * each.r], axis=1)
    found["W"] += each.x.T @ from_x
    found["b"] += from_x.sum(axis=0)
    found["U"] += each.h.T @ from_h
    found["c"] += (dn * each.r).sum(axis=0)
    return np.asarray(dh * each.z + from_h @ weights["U"].T, np.float32)
