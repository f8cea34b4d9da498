"""Model from elsewhere, read from its flatbuffer without a runtime: input, output, operators, and what forbids it.

Everything that cannot run here is refused by name, with one line each.
"""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, NoReturn

import numpy as np

from edge.contracts.errors import ModelError
from edge.models.graph import TYPES, FlatbufferTable, check_whole, is_flatbuffer, shape_of, tensor_spec
from edge.models.operators import operator_kinds

if TYPE_CHECKING:
    from edge.contracts.tensors import TensorSpec

DETECTION = "CUSTOM TFLite_Detection_PostProcess"
BY_XNNPACK = frozenset({"CUSTOM Convolution2DTransposeBias"})
"""MediaPipe's own operators that LiteRT runs all the same, by XNNPACK; older libraries and plain kernels do not."""
NO_DETECTOR = "adopt a classifier or a segmentation network"
DYNAMIC = -1
FLOATS: dict[int, np.dtype[np.float64] | np.dtype[np.float32] | np.dtype[np.float16]] = {
    0: np.dtype("<f4"),
    1: np.dtype("<f2"),
    10: np.dtype("<f8"),
}
"""Types of tensors that can hold a NaN, by their number in the schema."""
KNOWN_SLOTS = 8
"""Fields of a model in the schema: what a newer one adds would be lost."""
DEFAULT_SIGNATURE = "serving_default"


@dataclass(frozen=True, slots=True)
class ForeignModel:
    """A model whose one input is a picture."""

    data: bytes
    """The flatbuffer, without what stood behind it."""
    subgraph: int
    """Number of the subgraph that runs."""
    input: TensorSpec
    input_index: int
    """Number of the input's tensor."""
    outputs: tuple[tuple[str, int, TensorSpec], ...]
    """Name, number and specification of each output."""
    kinds: tuple[str, ...]
    """Kinds of its operators in running order."""
    weight_types: frozenset[str]
    """Types of its weights: ``int8`` beside float values is dynamic range."""


def read_foreign_model(data: bytes) -> ForeignModel:
    """Read a model. Raises `ModelError` for what is damaged, or cannot run here."""
    if not is_flatbuffer(data):
        _fail(f"not a TFLite model: expected 'TFL3' at byte 4, got {data[4:8]!r}", "convert it to .tflite first")
    check_whole(data)
    try:
        return _read(data)
    except (struct.error, ValueError, OverflowError, IndexError) as error:  # of text and of weights, too
        _fail(f"the flatbuffer is damaged: {error}", "copy the file again")


def _read(data: bytes) -> ForeignModel:
    model = FlatbufferTable(data, struct.unpack_from("<I", data, 0)[0])
    if model.slots > KNOWN_SLOTS and any(model.target(slot) for slot in range(KNOWN_SLOTS, model.slots)):
        _fail("it uses parts of the format that are newer than this version knows", "update sonoedge")
    subgraphs, buffers = model.tables(2), model.tables(4)
    if any(buffer.number(1, "Q", 0) > 1 for buffer in buffers):
        _fail("its weights stand behind the flatbuffer, as of models over 2 GB", "export a smaller model")
    kinds = operator_kinds(model)
    _refuse_operators([kind for kinds_of in kinds for kind in kinds_of])
    number = _subgraph_number(model, len(subgraphs))
    subgraph = subgraphs[number]
    tensors = subgraph.tables(0)
    inputs = [int(i) for i in subgraph.numbers(1, "i")]
    outputs = [int(i) for i in subgraph.numbers(2, "i")]
    if len(inputs) != 1:
        names = ", ".join(f"{tensors[i].text(3)} {shape_of(tensors[i])}" for i in inputs)[:200]
        _fail(
            f"expected one input, a picture; the model has {len(inputs)}: {names}", "export it with the picture alone"
        )
    _refuse_nan(subgraphs, buffers)
    source = tensors[inputs[0]]
    return ForeignModel(
        data=data,
        subgraph=number,
        input=_picture_spec(source),
        input_index=inputs[0],
        outputs=tuple((tensors[i].text(3), i, _output_spec(tensors[i])) for i in outputs),
        kinds=tuple(kinds[number]),
        weight_types=_weight_types(tensors, buffers),
    )


def _subgraph_number(model: FlatbufferTable, subgraphs: int) -> int:
    """Subgraph that runs: the one signature's, the default signature's, or the first where there is no signature."""
    signatures = model.tables(7)
    named = {each.text(2): each.number(4, "I", 0) for each in signatures}
    if len(signatures) > 1 and DEFAULT_SIGNATURE not in named:
        names = ", ".join(named)[:200]
        _fail(f"it has {len(signatures)} signatures, none of them {DEFAULT_SIGNATURE}: {names}", "export it with one")
    number = named.get(DEFAULT_SIGNATURE, next(iter(named.values()), 0))
    if not number < subgraphs:
        _fail(f"the flatbuffer is damaged: subgraph {number} of {subgraphs}", "copy the file again")
    return number


def _refuse_operators(kinds: list[str]) -> None:
    flex = sorted({kind.removeprefix("CUSTOM ") for kind in kinds if kind.startswith("CUSTOM Flex")})
    if flex:
        _fail(
            f"it needs TensorFlow's own operators, which no device here has: {', '.join(flex)[:200]}",
            "convert it with TFLITE_BUILTINS alone; what cannot be converted must be replaced in the model",
        )
    if DETECTION in kinds:
        _fail("it is a detector (TFLite_Detection_PostProcess); detection is not judged here", NO_DETECTOR)
    unknown = {kind for kind in kinds if kind.startswith("CUSTOM ")} - BY_XNNPACK
    custom = sorted(kind.removeprefix("CUSTOM ") for kind in unknown)
    if custom:
        _fail(
            f"it needs custom operators, which LiteRT does not have: {', '.join(custom)[:200]}",
            "convert it with built-in operators alone",
        )


def _refuse_nan(subgraphs: list[FlatbufferTable], buffers: list[FlatbufferTable]) -> None:
    """Refuse weights that are not a number. One NaN among millions makes every answer one."""
    for subgraph in subgraphs:
        for tensor in subgraph.tables(0):
            dtype = FLOATS.get(tensor.number(1, "b", 0))
            number = tensor.number(2, "I", 0)
            if dtype is None or number >= len(buffers):
                continue
            values = np.frombuffer(buffers[number].view(0), dtype)
            if values.size and np.isnan(values).any():
                bad = int(np.isnan(values).sum())
                _fail(f"{bad} of the weights of {tensor.text(3)[:100]!r} are NaN", "train or export it anew")


def _weight_types(tensors: list[FlatbufferTable], buffers: list[FlatbufferTable]) -> frozenset[str]:
    """Types of constant tensors with two dimensions or more."""
    return frozenset(
        TYPES.get(tensor.number(1, "b", 0), "other")
        for tensor in tensors
        if len(shape_of(tensor)) >= 2 and buffers[tensor.number(2, "I", 0)].length(0)
    )


def _picture_spec(tensor: FlatbufferTable) -> TensorSpec:
    spec, name = tensor_spec(tensor), tensor.text(3)[:100]
    _refuse_dynamic(tensor, f"input {name!r}", spec.shape)
    _refuse_scale(f"input {name!r}", spec)
    shape = spec.shape
    if len(shape) != 4 or shape[0] != 1:
        _fail(f"expected an input (1, height, width, channels), got {shape}", "export it for one picture at a time")
    if shape[3] not in (1, 3):
        first = " (channels first, as PyTorch has them)" if shape[1] in (1, 3) else ""
        _fail(f"expected an input with 1 or 3 channels last, got {shape}{first}", "export it with channels last")
    if not all(8 <= side <= 1024 for side in shape[1:3]):
        _fail(f"expected an input of 8 to 1024 pixels a side, got {shape}", "export it for pictures of such a size")
    if spec.dtype not in ("uint8", "int8", "float32"):
        _fail(f"expected an input of uint8, int8 or float32, got {spec.dtype}", "convert it with such an input")
    return spec


def _output_spec(tensor: FlatbufferTable) -> TensorSpec:
    spec, name = tensor_spec(tensor), tensor.text(3)[:100]
    _refuse_dynamic(tensor, f"output {name!r}", spec.shape)
    _refuse_scale(f"output {name!r}", spec)
    return spec


def _refuse_dynamic(tensor: FlatbufferTable, what: str, shape: tuple[int, ...]) -> None:
    """Refuse a shape that is settled at run time only; the number of pictures is settled here: one."""
    signature = tuple(int(n) for n in tensor.numbers(7, "i", 8))
    if DYNAMIC in signature[1:] or not shape or min(shape) < 1:
        said = signature or shape
        _fail(f"{what} has no fixed shape: {said}", "export it with a fixed height and width")


def _refuse_scale(what: str, spec: TensorSpec) -> None:
    """Refuse a quantisation by which no value can be computed: a scale that is zero, negative, or no number."""
    if spec.dtype in ("uint8", "int8") and not (math.isfinite(spec.scale) and spec.scale > 0):
        _fail(f"{what} has the quantisation scale {spec.scale:g}", "convert the model anew")


def _fail(message: str, hint: str) -> NoReturn:
    raise ModelError(message, hint=hint)
