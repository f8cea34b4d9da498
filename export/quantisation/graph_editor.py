"""Editor of a TFLite graph: its tensors, operators and constants (weights) as objects that can be changed.

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
"""Types of tensors that are read here: numpy's dtype by the schema's TensorType."""
RELU, RELU6 = schema.ActivationFunctionType.RELU, schema.ActivationFunctionType.RELU6
PLAIN = schema.ActivationFunctionType.NONE


class GraphEditor:
    """Editor of a TFLite model's first subgraph, unpacked from its flatbuffer."""

    def __init__(self, graph: bytes) -> None:
        self.model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(graph, 0))
        self.subgraph = self.model.subgraphs[0]
        self.tensors: list[Any] = self.subgraph.tensors
        self.operators: list[Any] = self.subgraph.operators

    def pack(self) -> bytes:
        """Pack the edited graph into the bytes of a TFLite flatbuffer."""
        builder = flatbuffers.Builder(4 * 2**20)
        builder.Finish(self.model.Pack(builder), file_identifier=b"TFL3")
        return bytes(builder.Output())

    def kind(self, operator: Any) -> str:
        """Name of an operator's kind in the schema: ``CONV_2D``."""
        return str(OPS[self.model.operatorCodes[operator.opcodeIndex].builtinCode])

    def activation(self, operator: Any) -> int:
        """Activation function fused into an operator's output; `PLAIN` where it can have none."""
        return int(getattr(operator.builtinOptions, "fusedActivationFunction", PLAIN))

    def name(self, tensor: int) -> str:
        """Name of a tensor, by its index."""
        name = self.tensors[tensor].name
        return name.decode("utf-8") if isinstance(name, bytes) else str(name)

    def shape(self, tensor: int) -> tuple[int, ...]:
        """Shape of a tensor, by its index."""
        shape = self.tensors[tensor].shape
        return () if shape is None else tuple(int(n) for n in shape)

    def constant(self, tensor: int) -> NDArray[Any] | None:
        """Copy of the constant that a tensor holds, in its shape and dtype; None where it is computed.

        Raises EdgeError for what is no number.
        """
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
        values: NDArray[Any] = np.frombuffer(raw, DTYPES[entry.type]).reshape(self.shape(tensor)).copy()
        return values

    def set_constant(self, operator: Any, slot: int, values: NDArray[Any]) -> None:
        """Set an operator's constant at input ``slot`` to ``values`` of its shape; others that share it keep theirs."""
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

    def computed_tensors(self) -> list[int]:
        """Indices of the tensors that operators write, in order."""
        return [int(tensor) for operator in self.operators for tensor in operator.outputs]

    def inputs_and_outputs(self) -> set[int]:
        """Indices of the graph's input and output tensors, whose meaning is fixed."""
        return {int(tensor) for tensor in (*self.subgraph.inputs, *self.subgraph.outputs)}

    @staticmethod
    def _inputs(operator: Any) -> Iterable[int]:
        return [int(tensor) for tensor in operator.inputs]


def tensor_values(graph: bytes, pictures: NDArray[Any], tensors: list[int]) -> Any:
    """Run the graph by LiteRT's plain kernels and yield, for each picture, the values of ``tensors`` (indices).

    ``pictures``: (n, height, width, channels). Each value has the shape and dtype of its tensor.
    """
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
