"""Replace one head of a TFLite graph by a graph of its own: every other operator, weight and step stays as it is.

What only the old head needs is left out, tensors and weights as well; the new head's operators come last. READ
`replace_head`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from edge.contracts.errors import EdgeError
from export.converted_graph import pack_model, text, unpack_model
from export.head_layers import operators_behind

if TYPE_CHECKING:
    from collections.abc import Iterable

HINT = "make the head from the graph that it is meant for"
EQUAL_STEPS = 1e-6
"""Relative difference of two scales that are still the same step: what rounding to float32 leaves."""
TYPE_NAMES = {value: name.lower() for name, value in vars(schema.TensorType).items() if isinstance(value, int)}


def replace_head(graph: bytes, head: str, new: bytes) -> bytes:
    """Replace the head named ``head`` of ``graph`` by the graph ``new``.

    Args:
        graph: with one subgraph and one signature, whose outputs are its heads.
        head: name of an output in the signature.
        new: its signature's inputs are named as tensors of ``graph``, by which they are fed; its one output, whatever
            it is called, becomes the head. Where an input has other steps than the tensor, a QUANTIZE is put between.

    Raises EdgeError where ``graph`` has no such head, a tensor is missing, or its shape or type is another.
    """
    model, added = unpack_model(graph), unpack_model(new)
    kept = _without(model, head, _input_names(added))
    _append(kept, added, head)
    _compact(kept)
    return pack_model(kept)


def _without(model: schema.ModelT, head: str, wanted: list[str]) -> schema.ModelT:
    """The model without the operators that only ``head`` needs; those behind the tensors ``wanted`` stay."""
    subgraph, signature = _only(model)
    entries = {text(entry.name): int(entry.tensorIndex) for entry in signature.outputs}
    if head not in entries:
        raise EdgeError(f"the graph has no head {head}, only {', '.join(sorted(entries))}", hint=HINT)
    maker = {int(tensor): number for number, each in enumerate(subgraph.operators) for tensor in each.outputs}
    places = _tensor_numbers(subgraph)
    if missing := [name for name in wanted if name not in places]:
        raise EdgeError(f"the graph has no tensor {', '.join(missing)}", hint=HINT)
    ends = [tensor for name, tensor in entries.items() if name != head] + [places[name] for name in wanted]
    needed: set[int] = set()
    for tensor in ends:
        needed |= operators_behind(subgraph, maker, tensor, set())
    subgraph.operators = [each for number, each in enumerate(subgraph.operators) if number in needed]
    return model


def _append(model: schema.ModelT, added: schema.ModelT, head: str) -> None:
    """Append the operators, tensors and buffers of ``added``, and make its output the head."""
    subgraph, signature = _only(model)
    new, new_signature = _only(added)
    if len(new_signature.outputs) != 1:
        raise EdgeError(f"the new head has {len(new_signature.outputs)} outputs, expected one", hint=HINT)
    fed = _feed(model, added)
    numbers = dict(fed)
    buffers: dict[int, int] = {}
    for number, tensor in enumerate(new.tensors):
        if number in numbers:
            continue
        if tensor.buffer not in buffers:
            buffers[tensor.buffer] = 0 if tensor.buffer == 0 else len(model.buffers)
            if tensor.buffer:
                model.buffers.append(added.buffers[tensor.buffer])
        tensor.buffer = buffers[tensor.buffer]
        numbers[number] = len(subgraph.tensors)
        subgraph.tensors.append(tensor)
    for operator in new.operators:
        operator.opcodeIndex = _code(model, added.operatorCodes[operator.opcodeIndex])
        operator.inputs = np.array([numbers[t] if t >= 0 else t for t in map(int, operator.inputs)], np.int32)
        operator.outputs = np.array([numbers[int(t)] for t in operator.outputs], np.int32)
        subgraph.operators.append(operator)
    output = numbers[int(new_signature.outputs[0].tensorIndex)]
    entry = next(each for each in signature.outputs if text(each.name) == head)
    old = int(entry.tensorIndex)
    _check_output(subgraph, old, output)
    subgraph.tensors[output].name = head.encode()
    subgraph.outputs = np.array([output if t == old else t for t in map(int, subgraph.outputs)], np.int32)
    entry.tensorIndex = output


def _feed(model: schema.ModelT, added: schema.ModelT) -> dict[int, int]:
    """Tensors of ``model`` that feed the inputs of ``added``, by the inputs' numbers."""
    subgraph, _ = _only(model)
    new, signature = _only(added)
    places = _tensor_numbers(subgraph)
    found = {}
    for entry in signature.inputs:
        name, number = text(entry.name), int(entry.tensorIndex)
        have, want = subgraph.tensors[places[name]], new.tensors[number]
        if (_shape(have), have.type) != (_shape(want), want.type):
            raise EdgeError(
                f"tensor {name}: the new head reads {_shape(want)} {TYPE_NAMES[want.type]}, "
                f"the graph has {_shape(have)} {TYPE_NAMES[have.type]}",
                hint=HINT,
            )
        found[number] = places[name] if _same_steps(have, want) else _convert(model, places[name], want)
    return found


def _convert(model: schema.ModelT, source: int, wanted: schema.TensorT) -> int:
    """Append a QUANTIZE of the tensor ``source`` to the steps of ``wanted``; returns its result."""
    subgraph = model.subgraphs[0]
    wanted.buffer = 0
    subgraph.tensors.append(wanted)
    operator = schema.OperatorT()
    code = schema.OperatorCodeT()
    code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.QUANTIZE
    code.version = 2  # int8 to int8
    operator.opcodeIndex = _code(model, code)
    operator.inputs = np.array([source], np.int32)
    operator.outputs = np.array([len(subgraph.tensors) - 1], np.int32)
    operator.builtinOptionsType, operator.builtinOptions = (
        schema.BuiltinOptions.QuantizeOptions,
        schema.QuantizeOptionsT(),
    )
    subgraph.operators.append(operator)
    return len(subgraph.tensors) - 1


def _check_output(subgraph: schema.SubGraphT, old: int, new: int) -> None:
    """Raise EdgeError unless the new head's output is what devices expect there: shape, type and steps of the old."""
    before, now = subgraph.tensors[old], subgraph.tensors[new]
    if (_shape(before), before.type) != (_shape(now), now.type) or not _same_steps(before, now):
        said = [f"{_shape(each)} {TYPE_NAMES[each.type]} {_steps(each)}" for each in (before, now)]
        raise EdgeError(f"the head's output is {said[0]}, the new one's {said[1]}", hint=HINT)


def _code(model: schema.ModelT, code: schema.OperatorCodeT) -> int:
    """Number of an operator code of ``model`` that runs what ``code`` does; appended where there is none.

    A newer version of the same operator is another code: the old operators' stays as it is.
    """
    wanted = _kind(code)
    for number, each in enumerate(model.operatorCodes):
        if _kind(each) == wanted and each.customCode == code.customCode and each.version >= code.version:
            return number
    model.operatorCodes.append(code)
    return len(model.operatorCodes) - 1


def _compact(model: schema.ModelT) -> None:
    """Leave out tensors, buffers and operator codes that nothing needs any more; the others keep their order."""
    subgraph, signature = _only(model)
    ends = [entry.tensorIndex for entry in (*signature.inputs, *signature.outputs)]
    used = {int(t) for t in (*subgraph.inputs, *subgraph.outputs, *ends)}
    used |= {int(t) for each in subgraph.operators for t in (*each.inputs, *each.outputs) if t >= 0}
    tensors = _Numbering(used)
    for entry in (*signature.inputs, *signature.outputs):
        entry.tensorIndex = tensors.of(entry.tensorIndex)
    for each in (subgraph, *subgraph.operators):
        each.inputs, each.outputs = tensors.array(each.inputs), tensors.array(each.outputs)
    subgraph.tensors = tensors.chosen(subgraph.tensors)
    metadata = model.metadata or []
    buffers = _Numbering({0, *(t.buffer for t in subgraph.tensors), *(m.buffer for m in metadata)})
    for each in (*subgraph.tensors, *metadata):
        each.buffer = buffers.of(each.buffer)
    model.buffers = buffers.chosen(model.buffers)
    codes = _Numbering({each.opcodeIndex for each in subgraph.operators})
    for each in subgraph.operators:
        each.opcodeIndex = codes.of(each.opcodeIndex)
    model.operatorCodes = codes.chosen(model.operatorCodes)


class _Numbering:
    """New numbers of those things of a list that are kept."""

    def __init__(self, kept: set[int]) -> None:
        self._new = {int(old): new for new, old in enumerate(sorted(kept))}

    def of(self, number: int) -> int:
        """New number of a thing; one below 0 names none, and stays."""
        return self._new[int(number)] if number >= 0 else int(number)

    def array(self, numbers: Iterable[int]) -> Any:
        """New numbers, in the order of the old."""
        return np.array([self.of(number) for number in numbers], np.int32)

    def chosen(self, things: list[Any]) -> list[Any]:
        """The things that are kept, in their order."""
        return [thing for number, thing in enumerate(things) if number in self._new]


def _only(model: schema.ModelT) -> tuple[schema.SubGraphT, schema.SignatureDefT]:
    """The one subgraph and the one signature of a model."""
    if len(model.subgraphs) != 1 or len(model.signatureDefs or []) != 1:
        found = f"{len(model.subgraphs)} and {len(model.signatureDefs or [])}"
        raise EdgeError(f"expected one subgraph and one signature in the model, got {found}", hint=HINT)
    return model.subgraphs[0], model.signatureDefs[0]


def _input_names(model: schema.ModelT) -> list[str]:
    return [text(entry.name) for entry in _only(model)[1].inputs]


def _tensor_numbers(subgraph: schema.SubGraphT) -> dict[str, int]:
    """Numbers of the tensors that operators make, by name. Of two with one name none is found."""
    found: dict[str, int] = {}
    twice = set()
    for operator in subgraph.operators:
        for number in map(int, operator.outputs):
            name = text(subgraph.tensors[number].name)
            if name in found:
                twice.add(name)
            found[name] = number
    return {name: number for name, number in found.items() if name not in twice}


def _kind(code: schema.OperatorCodeT) -> int:
    return max(int(code.builtinCode), int(code.deprecatedBuiltinCode))


def _shape(tensor: schema.TensorT) -> tuple[int, ...]:
    return tuple(int(n) for n in tensor.shape)


def _steps(tensor: schema.TensorT) -> tuple[list[float], list[int]]:
    found = tensor.quantization
    if found is None or found.scale is None:
        return [], []
    return [float(s) for s in found.scale], [int(z) for z in found.zeroPoint]


def _same_steps(one: schema.TensorT, other: schema.TensorT) -> bool:
    (scales, zeros), (others, other_zeros) = _steps(one), _steps(other)
    return zeros == other_zeros and len(scales) == len(others) and np.allclose(scales, others, rtol=EQUAL_STEPS, atol=0)
