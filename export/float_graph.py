"""A TFLite graph as an object that can be changed: tensors, operators, constants as arrays.

The converter folds batch norms and fuses activations when it makes a float graph; what is done to a model before it is
quantised is done here, on what it will really compute.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema

from edge.contracts.errors import EdgeError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

OPS = {code: name for name, code in vars(schema.BuiltinOperator).items() if isinstance(code, int)}
DTYPES = {
    code: np.dtype(name)
    for code, name in {
        schema.TensorType.FLOAT32: "<f4",
        schema.TensorType.FLOAT16: "<f2",
        schema.TensorType.FLOAT64: "<f8",
        schema.TensorType.INT8: "i1",
        schema.TensorType.INT16: "<i2",
        schema.TensorType.INT32: "<i4",
        schema.TensorType.INT64: "<i8",
        schema.TensorType.UINT8: "u1",
        schema.TensorType.UINT16: "<u2",
        schema.TensorType.UINT32: "<u4",
        schema.TensorType.UINT64: "<u8",
        schema.TensorType.BOOL: "?",
    }.items()
}
"""TensorType of the schema, as numpy has it: those that are read here."""
RELU, RELU6 = schema.ActivationFunctionType.RELU, schema.ActivationFunctionType.RELU6
PLAIN = schema.ActivationFunctionType.NONE


class GraphEditor:
    """The first subgraph of a model, unpacked."""

    def __init__(self, graph: bytes) -> None:
        self.model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(graph, 0))
        self.subgraph = self.model.subgraphs[0]
        self.tensors: list[Any] = self.subgraph.tensors
        self.operators: list[Any] = self.subgraph.operators

    def pack(self) -> bytes:
        """The graph as bytes again."""
        builder = flatbuffers.Builder(4 * 2**20)
        builder.Finish(self.model.Pack(builder), file_identifier=b"TFL3")
        return bytes(builder.Output())

    def kind(self, operator: Any) -> str:
        """The operator's name in the schema: ``CONV_2D``."""
        return OPS[self.model.operatorCodes[operator.opcodeIndex].builtinCode]

    def activation(self, operator: Any) -> int:
        """The function fused into an operator's output; `PLAIN` where it can have none."""
        return int(getattr(operator.builtinOptions, "fusedActivationFunction", PLAIN))

    def name(self, tensor: int) -> str:
        """Of a tensor, by its index."""
        name = self.tensors[tensor].name
        return name.decode("utf-8") if isinstance(name, bytes) else str(name)

    def shape(self, tensor: int) -> tuple[int, ...]:
        """Of a tensor, by its index."""
        shape = self.tensors[tensor].shape
        return () if shape is None else tuple(int(n) for n in shape)

    def constant(self, tensor: int) -> NDArray[Any] | None:
        """A copy of what a tensor holds; None where it is computed. Raises EdgeError for what is no number."""
        entry = self.tensors[tensor]
        data = self.model.buffers[entry.buffer].data
        if data is None or len(data) == 0:
            return None
        if entry.type not in DTYPES:
            raise EdgeError(
                f"the constant {self.name(tensor)} has TFLite's type {entry.type}, which is no array of numbers",
                hint="build the network of operators that TFLite has in int8, as those of training/network.py",
            )
        raw = np.asarray(data, np.uint8).tobytes()
        return np.frombuffer(raw, DTYPES[entry.type]).reshape(self.shape(tensor)).copy()

    def set_constant(self, operator: Any, slot: int, values: NDArray[Any]) -> None:
        """Give ``operator`` an input of its own with ``values``: constants are shared, and others keep theirs."""
        old = self.tensors[int(operator.inputs[slot])]
        buffer = schema.BufferT()
        buffer.data = np.frombuffer(np.ascontiguousarray(values, DTYPES[old.type]).tobytes(), np.uint8)
        self.model.buffers.append(buffer)
        new = schema.TensorT()
        new.__dict__.update(old.__dict__)
        new.buffer = len(self.model.buffers) - 1
        users = [op for op in self.operators if int(operator.inputs[slot]) in self._inputs(op)]
        if len(users) > 1:
            new.name = f"{self.name(int(operator.inputs[slot]))}/of{len(self.tensors)}".encode()
            self.tensors.append(new)
            inputs = np.array(operator.inputs, np.int32)
            inputs[slot] = len(self.tensors) - 1
            operator.inputs = inputs
        else:
            self.tensors[int(operator.inputs[slot])] = new

    def computed(self) -> list[int]:
        """Tensors that operators write, in order."""
        return [int(tensor) for operator in self.operators for tensor in operator.outputs]

    def ends(self) -> set[int]:
        """Inputs and outputs of the graph, whose meaning is fixed."""
        return {int(tensor) for tensor in (*self.subgraph.inputs, *self.subgraph.outputs)}

    @staticmethod
    def _inputs(operator: Any) -> Iterable[int]:
        return [int(tensor) for tensor in operator.inputs]


def run_all(graph: bytes, pictures: NDArray[Any], tensors: list[int]) -> Any:
    """Yield, for each picture (height, width, channels), what ``tensors`` held, by plain kernels."""
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    interpreter = Interpreter(
        model_content=graph,
        num_threads=1,
        experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
        experimental_preserve_all_tensors=True,
    )
    interpreter.allocate_tensors()
    source = interpreter.get_input_details()[0]
    for picture in pictures:
        interpreter.set_tensor(source["index"], picture[None].astype(source["dtype"]))
        interpreter.invoke()
        yield [interpreter.get_tensor(tensor) for tensor in tensors]
