"""Design of a head: its layers and float weights, as they are fitted, and the file that holds them.

The file is an ``.npz``: ``layers`` is a JSON text (a list of `HeadLayer`), and a layer's arrays are called
``<name>.weights`` and ``<name>.bias``. All values are maps (1, height, width, channels); a vector is a map of one cell.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, NoReturn

import msgspec
import numpy as np

from edge.contracts.errors import UsageError
from export.array_files import read_arrays

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Shape = tuple[int, int, int]

HINT = "layers are described in docs/training.md, A new anatomy head"
TWO = frozenset({"add", "subtract", "multiply", "maximum", "minimum"})
"""Kinds of layers that take two inputs of one shape."""
UNCLIPPED = frozenset({"tensor", "concatenate", "maximum", "minimum"})
"""Kinds of layers that clip nothing."""


class HeadLayer(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One layer of a head."""

    name: str
    kind: Literal["tensor", "mean", "conv", "add", "subtract", "multiply", "maximum", "minimum", "concatenate"]
    """``tensor``: a tensor of the graph. ``mean``: over the width and over bands of rows, then times ``weights`` plus
    ``bias`` by channel where it has them. ``conv``: a convolution without padding, weights (height, width, channels in,
    channels out); with a kernel as large as its input, a matrix. ``concatenate``: joins channels."""
    inputs: list[str] = []
    """Names of earlier layers."""
    tensor: str = ""
    """Name of the graph's tensor."""
    bands: int = 1
    """Equal bands of rows that a mean is taken of, each by itself."""
    activation: Literal["relu", "relu6"] | None = None
    """What the result is clipped by."""
    limits: tuple[float, float] | None = None
    """Least and greatest value of the result, around 0; beyond, it is clipped. None: what representative pictures
    show."""


@dataclass(frozen=True, eq=False)
class HeadDesign:
    """Layers of a head in an order in which they can be computed; the last one gives the logit."""

    layers: tuple[HeadLayer, ...]
    arrays: Mapping[str, Floats]
    """``<name>.weights``, ``<name>.bias``."""

    @property
    def tensors(self) -> list[str]:
        """Names of the graph's tensors that it reads."""
        return list(dict.fromkeys(layer.tensor for layer in self.layers if layer.kind == "tensor"))

    def weights(self, layer: HeadLayer) -> Floats | None:
        """Weights of a layer; None where it has none."""
        return self.arrays.get(f"{layer.name}.weights")

    def bias(self, layer: HeadLayer, channels: int) -> Floats:
        """Bias of a layer by channel, 0 where it has none."""
        return self.arrays.get(f"{layer.name}.bias", np.zeros(channels))

    def consumers(self, name: str) -> list[HeadLayer]:
        """Layers that read the result of another."""
        return [layer for layer in self.layers if name in layer.inputs]


def read_design(path: Path) -> HeadDesign:
    """Read the file of a head. Raises UsageError, naming what is wrong with it."""
    arrays = read_arrays(path, "head", HINT)
    try:
        layers = msgspec.json.decode(str(arrays.pop("layers")), type=list[HeadLayer])
        values = {name: np.asarray(each, np.float64) for name, each in arrays.items()}
    except (ValueError, KeyError, msgspec.MsgspecError) as error:
        raise UsageError(f"{path} is no head: {error}", hint=HINT) from error
    return HeadDesign(tuple(layers), values)


def write_design(design: HeadDesign, path: Path) -> None:
    """Write the file of a head."""
    layers = np.array(msgspec.json.encode(list(design.layers)).decode())
    arrays: dict[str, Any] = {"layers": layers, **design.arrays}
    np.savez(path, **arrays)


def shapes(design: HeadDesign, tensors: Mapping[str, Shape]) -> dict[str, Shape]:
    """Shape (height, width, channels) of each layer's result, by name.

    Args:
        design: the head.
        tensors: shapes of the graph's tensors by name.

    Raises UsageError for a layer that cannot be computed, and unless the last one gives one value.
    """
    found: dict[str, Shape] = {}
    for layer in design.layers:
        if layer.name in found:
            raise UsageError(f"two layers are called {layer.name}", hint=HINT)
        if missing := [name for name in layer.inputs if name not in found]:
            raise UsageError(f"layer {layer.name} reads {', '.join(missing)}, which is no earlier layer", hint=HINT)
        if layer.kind == "tensor" and layer.tensor not in tensors:
            raise UsageError(f"layer {layer.name}: the graph has no tensor {layer.tensor!r}", hint=HINT)
        sources = [tensors[layer.tensor]] if layer.kind == "tensor" else [found[name] for name in layer.inputs]
        found[layer.name] = _shape(design, layer, sources)
    last = design.layers[-1] if design.layers else None
    if last is None or found[last.name] != (1, 1, 1):
        given = "nothing" if last is None else f"{found[last.name]} values"
        raise UsageError(f"the head's last layer gives {given}, expected one logit", hint=HINT)
    known = {f"{name}.{kind}" for name in found for kind in ("weights", "bias")}
    if unread := sorted(design.arrays.keys() - known):
        raise UsageError(f"no layer reads {', '.join(unread)}", hint=HINT)
    return found


def _shape(design: HeadDesign, layer: HeadLayer, sources: list[Shape]) -> Shape:
    """Shape of one layer's result. Raises UsageError where inputs or arrays do not fit."""
    weights = design.weights(layer)
    if any(not np.isfinite(each).all() for each in (weights, design.bias(layer, 1)) if each is not None):
        _refuse(layer, "weights that are not finite")
    if layer.kind in UNCLIPPED and (layer.activation or layer.limits):
        _refuse(layer, "an activation or limits, which it cannot have")
    counts = 2 if layer.kind in TWO else 1
    if len(sources) < counts or (len(sources) > counts and layer.kind != "concatenate"):
        _refuse(layer, f"{len(sources)} inputs, expected {counts}")
    height, width, channels = sources[0]
    made: Shape = sources[0]
    if layer.kind == "mean":
        if layer.bands < 1 or height % layer.bands:
            _refuse(layer, f"{layer.bands} bands of {height} rows, which are no equal ones")
        if weights is not None and weights.shape != (channels,):
            _refuse(layer, f"weights {weights.shape}, expected {(channels,)}")
        made = layer.bands, 1, channels
    elif layer.kind == "conv":
        if weights is None or weights.ndim != 4 or weights.shape[2] != channels or not weights.size:
            given = "none" if weights is None else weights.shape
            _refuse(layer, f"weights {given}, expected (height, width, {channels}, channels out)")
        if weights.shape[0] > height or weights.shape[1] > width:
            _refuse(layer, f"a kernel {weights.shape[:2]} larger than its input {(height, width)}")
        made = height - weights.shape[0] + 1, width - weights.shape[1] + 1, weights.shape[3]
    elif layer.kind == "concatenate":
        if any(each[:2] != (height, width) for each in sources):
            _refuse(layer, f"inputs {sources} of other sizes")
        made = height, width, sum(each[2] for each in sources)
    elif layer.kind in TWO and sources[1] != sources[0]:
        _refuse(layer, f"inputs {sources} of two shapes")
    bias = design.arrays.get(f"{layer.name}.bias")
    if bias is not None and bias.shape != (made[2],):
        _refuse(layer, f"bias {bias.shape}, expected {(made[2],)}")
    low, high = layer.limits or (0.0, 1.0)
    if not -math.inf < low <= 0 <= high < math.inf or low == high:
        _refuse(layer, f"limits {layer.limits}, expected finite ones around 0")
    return made


def _refuse(layer: HeadLayer, what: str) -> NoReturn:
    raise UsageError(f"layer {layer.name} ({layer.kind}) has {what}", hint=HINT)
