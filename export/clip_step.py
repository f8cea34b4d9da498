"""Int8 graph of a recurrent step: TensorFlow's converter, its difference to the floats, and its golden sequence.

`W x` and `U h` are computed apart and added: joined to one matrix they would share one scale of inputs. The calibration
set holds states of -1 and 1, so that the state comes out with the step that it goes in with.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from edge.contracts.clip_model import FEATURES, GOLDEN_STEPS, SCALES, ClipManifest
from edge.models.clip_model import ClipModel
from edge.runtimes.clip_step import LiteRtClipStep
from export.quantisation.convert import hide_tensorflow_log

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    Floats = NDArray[np.float32]
    Weights = dict[str, Floats]

ROWS = 8
"""Rows that the graph takes at once: the frame and seven tracks."""
CALIBRATION_STEPS = 400
GOLDEN_SEED = 19
FAR = 0.03
"""Most that int8 should be off at any step, in probability."""


@dataclass(frozen=True)
class StepDifference:
    """Difference between int8 and float over fed-back steps: of malignancy and presence, in probability."""

    steps: int
    mean: float
    worst: float
    far: float
    """Share of them that are more than `FAR` off."""


def to_int8(weights: Weights, x: Floats, lengths: NDArray[np.int_]) -> bytes:
    """Quantise a step. ``x`` (n, steps, 7) features as the host gives them, of which ``lengths`` count."""
    with hide_tensorflow_log(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the converter calibrates with an interpreter that TensorFlow will give up
        import tensorflow as tf

        module = _module(tf, weights)
        converter = tf.lite.TFLiteConverter.from_concrete_functions([module.step], module)
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.representative_dataset = lambda: _representative(weights, x, lengths)
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        converter.inference_input_type = tf.int8
        converter.inference_output_type = tf.int8
        graph: bytes = converter.convert()
    return graph


def _module(tf: Any, weights: Weights) -> Any:
    units = len(weights["U"])
    parts = {gate: slice(k * units, (k + 1) * units) for k, gate in enumerate("zrn")}
    w = {gate: tf.constant(weights["W"][:, part]) for gate, part in parts.items()}
    u = {gate: tf.constant(weights["U"][:, part]) for gate, part in parts.items()}
    b = {gate: tf.constant(weights["b"][part]) for gate, part in parts.items()}

    def step(x: Any, h: Any) -> dict[str, Any]:
        from_x = {gate: tf.nn.bias_add(tf.matmul(x, w[gate]), b[gate]) for gate in "zrn"}
        z = tf.sigmoid(from_x["z"] + tf.matmul(h, u["z"]))
        r = tf.sigmoid(from_x["r"] + tf.matmul(h, u["r"]))
        n = tf.tanh(from_x["n"] + r * tf.nn.bias_add(tf.matmul(h, u["n"]), tf.constant(weights["c"])))
        after = z * h + (1.0 - z) * n  # h - n would have twice the range, and half the precision
        said = [
            tf.sigmoid(tf.nn.bias_add(tf.matmul(after, weights["V"][:, k : k + 1]), weights["d"][k : k + 1]))
            for k in (0, 1)
        ]
        return {"h": after, "malignancy": said[0], "presence": said[1]}

    module = tf.Module()
    call = tf.function(step)
    module.step = call.get_concrete_function(
        x=tf.TensorSpec((ROWS, len(FEATURES)), tf.float32, name="x"),
        h=tf.TensorSpec((ROWS, units), tf.float32, name="h"),
    )
    return module


def _representative(weights: Weights, x: Floats, lengths: NDArray[np.int_]) -> Iterator[dict[str, Floats]]:
    """Features and states that occur, and the ends of both ranges."""
    units = len(weights["U"])
    rng = np.random.default_rng(0)
    for sign in (-1.0, 1.0):
        yield {
            "x": np.full((ROWS, len(FEATURES)), sign, np.float32),
            "h": np.full((ROWS, units), sign, np.float32),
        }
    for _ in range(8):
        yield {
            "x": rng.choice([-1.0, 1.0], (ROWS, len(FEATURES))).astype(np.float32),
            "h": rng.choice([-1.0, 1.0], (ROWS, units)).astype(np.float32),
        }
    values, states, flat = _flat(weights, x, lengths)
    for rows in rng.permutation(flat)[: CALIBRATION_STEPS * ROWS].reshape(-1, ROWS) if flat >= ROWS else ():
        yield {"x": values[rows], "h": states[rows]}


def _flat(weights: Weights, x: Floats, lengths: NDArray[np.int_]) -> tuple[Floats, Floats, int]:
    """All features and the float states before them, a row a step; their number, down to whole batches."""
    values = np.clip(x / np.array(SCALES, np.float32), -1, 1).astype(np.float32)
    h = np.zeros((len(x), len(weights["U"])), np.float32)
    inputs, states = [], []
    for t in range(x.shape[1]):
        alive = lengths > t
        inputs.append(values[alive, t])
        states.append(h[alive])
        h = float_step(weights, values[:, t], h)[0]
    flat = sum(len(each) for each in inputs) // ROWS * ROWS
    return np.concatenate(inputs)[:flat], np.concatenate(states)[:flat], flat


def float_step(weights: Weights, x: Floats, h: Floats) -> tuple[Floats, Floats]:
    """One step of the floats: state, and probabilities (rows, 2), of scaled features."""
    units = h.shape[1]
    from_x, from_h = x @ weights["W"] + weights["b"], h @ weights["U"]
    gates = 1 / (1 + np.exp(-(from_x[:, : 2 * units] + from_h[:, : 2 * units])))
    n = np.tanh(from_x[:, 2 * units :] + gates[:, units:] * (from_h[:, 2 * units :] + weights["c"]))
    after = (gates[:, :units] * h + (1 - gates[:, :units]) * n).astype(np.float32)
    return after, (1 / (1 + np.exp(-(after @ weights["V"] + weights["d"])))).astype(np.float32)


def difference(graph: bytes, weights: Weights, x: Floats, lengths: NDArray[np.int_]) -> StepDifference:
    """How far the int8 step is from the floats when each feeds its own state back, over up to 120 steps a sequence."""
    step = LiteRtClipStep(ClipModel(blank_manifest(), graph, {}))
    states = np.tile(step.begin(), (len(x), 1))
    h = np.zeros((len(x), len(weights["U"])), np.float32)
    values = np.clip(x / np.array(SCALES, np.float32), -1, 1).astype(np.float32)
    off = []
    steps = min(x.shape[1], GOLDEN_STEPS)
    for t in range(steps):
        states, malignancy, presence = step.step(x[:, t], states)
        h, said = float_step(weights, values[:, t], h)
        alive = lengths > t
        off.append(np.abs(np.column_stack([malignancy, presence]) - said)[alive].ravel())
    every = np.concatenate(off)
    return StepDifference(steps, float(every.mean()), float(every.max()), float((every > FAR).mean()))


def golden_sequence(graph: bytes, x: Floats) -> dict[str, NDArray[Any]]:
    """Golden sequence of a graph: half of its rows are features that occur, the others walk at random."""
    step = LiteRtClipStep(ClipModel(blank_manifest(), graph, {}))
    rng = np.random.default_rng(GOLDEN_SEED)
    walk = np.cumsum(rng.normal(0, 0.2, (GOLDEN_STEPS, ROWS, len(FEATURES))), axis=0)
    features = (np.sin(walk + rng.uniform(0, 6, (ROWS, 1))) * np.array(SCALES)).astype(np.float32)
    known = x[: ROWS // 2, :GOLDEN_STEPS].transpose(1, 0, 2)
    features[: len(known), : known.shape[1]] = known
    kept: dict[str, list[NDArray[Any]]] = {name: [] for name in ("x", "h", "malignancy", "presence")}
    states = np.tile(step.begin(), (ROWS, 1))
    for t in range(GOLDEN_STEPS):
        values = step.quantise(features[t])
        raw = step.raw_step(values, states)
        for name, array in zip(kept, (values, *raw), strict=True):
            kept[name].append(array)
        states = step.states_after(raw[0])
    return {name: np.stack(arrays) for name, arrays in kept.items()}


def blank_manifest() -> ClipManifest:
    """Manifest of a graph that is no file yet."""
    return ClipManifest(features_version=1, graph_sha256="", frame_model_sha256="")
