"""Recurrent step of a bundle on the CPU: LiteRT by XNNPACK, in the frame process; proven by its golden sequence."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import numpy as np

from edge.contracts.clip_model import GOLDEN_STEPS, SCALES
from edge.contracts.errors import DeviceError, ModelError
from edge.process.install import pip_install
from edge.process.stderr_capture import stderr_to_log
from edge.runtimes.model_loading import first_line

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edge.contracts.clip_model import ClipManifest
    from edge.models.clip_model import ClipModel

log = logging.getLogger(__name__)


class LiteRtClipStep:
    """Step of one clip model. Rows beyond what the graph takes at once are computed in further batches."""

    def __init__(self, model: ClipModel) -> None:
        """Load the step. Raises `ModelError` if LiteRT refuses it, `DeviceError` if LiteRT is not installed."""
        self._manifest = model.manifest
        self._interpreter = _load(model.graph)
        # Pre-allocated inputs; a row that is not used keeps whatever stood there, and no other row sees it.
        runner = self._interpreter.get_signature_runner()
        inputs, outputs = runner.get_input_details(), runner.get_output_details()
        self._x, self._h = inputs["x"], inputs["h"]
        self._out = outputs
        self._rows, self._units = (int(n) for n in self._h["shape"])
        self._values = np.zeros(self._x["shape"], np.int8)
        self._states = np.zeros(self._h["shape"], np.int8)
        self._zero = np.full(self._units, self._h["quantization"][1], np.int8)
        self._same_state = _rescaled(self._out["h"], self._h)
        self._real = {name: _reals(self._out[name]) for name in ("malignancy", "presence")}
        scale, self._offset = self._x["quantization"]
        self._factor = 1.0 / (np.array(SCALES, np.float64) * scale)
        low, high = -1 / scale + self._offset, 1 / scale + self._offset
        self._low, self._high = max(-128, round(low)), min(127, round(high))

    @property
    def manifest(self) -> ClipManifest:
        """Description of the step."""
        return self._manifest

    def begin(self) -> NDArray[np.int8]:
        """State of which nothing is known: zero."""
        return self._zero

    def quantise(self, features: NDArray[np.float32]) -> NDArray[np.int8]:
        """Features (n, 7) as the graph takes them."""
        steps = np.rint(features.astype(np.float64) * self._factor) + self._offset
        return np.asarray(np.clip(steps, self._low, self._high), np.int8)

    def step(
        self, features: NDArray[np.float32], states: NDArray[np.int8]
    ) -> tuple[NDArray[np.int8], NDArray[np.float32], NDArray[np.float32]]:
        """New states, malignancy and presence, see `RecurrentStep`."""
        after, malignancy, presence = self.raw_step(self.quantise(features), states)
        said = self._real["malignancy"][malignancy[:, 0].astype(np.int16) + 128]
        there = self._real["presence"][presence[:, 0].astype(np.int16) + 128]
        return self.states_after(after), said, there

    def states_after(self, raw: NDArray[np.int8]) -> NDArray[np.int8]:
        """States as they go in, of states as they came out of `raw_step`."""
        return self._same_state[raw.astype(np.int16) + 128]

    def raw_step(
        self, values: NDArray[np.int8], states: NDArray[np.int8]
    ) -> tuple[NDArray[np.int8], NDArray[np.int8], NDArray[np.int8]]:
        """Raw outputs h, malignancy and presence, (n, …) int8, of raw inputs."""
        parts = []
        for begin in range(0, len(values), self._rows):
            now = slice(begin, begin + self._rows)
            count = len(values[now])
            self._values[:count], self._states[:count] = values[now], states[now]
            self._interpreter.set_tensor(self._x["index"], self._values)
            self._interpreter.set_tensor(self._h["index"], self._states)
            self._interpreter.invoke()
            names = ("h", "malignancy", "presence")
            parts.append([self._interpreter.get_tensor(self._out[name]["index"])[:count] for name in names])
        h, malignancy, presence = (np.concatenate(column) for column in zip(*parts, strict=True))
        return h, malignancy, presence

    def require_golden(self, golden: dict[str, NDArray[Any]]) -> None:
        """Replay the golden sequence. Raises `ModelError` unless each step gives the same bytes."""
        states = np.tile(self._zero, (len(golden["x"][0]), 1))
        for number in range(GOLDEN_STEPS):
            got = dict(zip(("h", "malignancy", "presence"), self.raw_step(golden["x"][number], states), strict=True))
            for name, value in got.items():
                if not np.array_equal(value, golden[name][number]):
                    raise ModelError(
                        f"clip.tflite computes something else here: {name} differs at step {number}",
                        hint="another LiteRT version may: export the bundle anew with this one, or take it out",
                    )
            states = self.states_after(got["h"])


def make_clip_step(model: ClipModel) -> LiteRtClipStep:
    """Make a step that has passed its golden sequence. Raises as `LiteRtClipStep` and its `require_golden`."""
    step = LiteRtClipStep(model)
    step.require_golden(model.golden)
    return step


def _load(graph: bytes) -> Any:
    try:
        from ai_edge_litert import interpreter
    except ImportError as error:
        raise DeviceError(
            f"clip.tflite needs LiteRT, which cannot be loaded: {error}", hint=pip_install("ai-edge-litert")
        ) from error
    try:
        with stderr_to_log(log):
            loaded = interpreter.Interpreter(model_content=graph, num_threads=1)
            loaded.allocate_tensors()
    except (ValueError, RuntimeError) as error:
        raise ModelError(f"LiteRT refuses clip.tflite: {first_line(error)}", hint="export the bundle anew") from error
    return loaded


def _reals(detail: dict[str, Any]) -> NDArray[np.float32]:
    """Real value, 0 to 1, of each of the 256 values of an output."""
    scale, zero = detail["quantization"]
    return np.asarray(np.clip((np.arange(-128, 128) - zero) * np.float64(scale), 0.0, 1.0), np.float32)


def _rescaled(out: dict[str, Any], into: dict[str, Any]) -> NDArray[np.int8]:
    """For each of the 256 values of the state that comes out, the value that goes in again: their steps may differ."""
    (scale, zero), (scale_in, zero_in) = out["quantization"], into["quantization"]
    real = (np.arange(-128, 128) - zero) * np.float64(scale)
    return np.asarray(np.clip(np.rint(real / scale_in) + zero_in, -128, 127), np.int8)
