"""Edit a converted TFLite graph as the converter cannot: order and names of outputs, own buffers, metadata."""

from __future__ import annotations

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema

from edge.contracts.errors import EdgeError
from edge.contracts.tensors import TensorSpec
from edge.models.graph import Graph, read_graph

METADATA_NAME = "TFLITE_METADATA"
STEP = 1 / 256
"""Scale of a probability as TFLite quantises softmax and sigmoid: 0 to 255/256."""


def order_outputs(graph: bytes, order: tuple[str, ...]) -> bytes:
    """Put the graph's outputs into ``order`` (names of the signature), and name its input and outputs by the signature.

    The converter's order is by chance, and classifier tools read output 0.
    """
    model = unpack_model(graph)
    signature, subgraph = model.signatureDefs[0], model.subgraphs[0]
    index = {text(entry.name): entry.tensorIndex for entry in signature.outputs}
    if sorted(index) != sorted(order):
        raise EdgeError(f"expected the heads {', '.join(order)}, got {', '.join(sorted(index))}", hint="check the run")
    subgraph.outputs = np.array([index[name] for name in order], np.int32)
    signature.outputs.sort(key=lambda entry: order.index(text(entry.name)))
    for entry in (*signature.inputs, *signature.outputs):
        subgraph.tensors[entry.tensorIndex].name = entry.name  # for people who open it in Netron
    return pack_model(model)


def own_buffers(graph: bytes) -> bytes:
    """Give every tensor of the graph a buffer of its own: the converter lets equal constants share one.

    XNNPACK's weight cache knows packed weights by their buffer, and packs the steps of input and output with them: of
    two operators with equal weights and other steps it computes the second with the first one's.
    """
    model = unpack_model(graph)
    taken: set[int] = set()
    for tensor in model.subgraphs[0].tensors:
        if tensor.buffer in taken and model.buffers[tensor.buffer].data is not None:
            copy = schema.BufferT()
            copy.data = model.buffers[tensor.buffer].data
            model.buffers.append(copy)
            tensor.buffer = len(model.buffers) - 1
        taken.add(tensor.buffer)
    return pack_model(model)


def add_metadata(graph: bytes, metadata: bytes) -> bytes:
    """Put ``metadata`` (a ModelMetadata flatbuffer) into the buffer of the graph that readers look for.

    It takes the place of what is there already: a graph that is given metadata anew does not grow.
    """
    model = unpack_model(graph)
    model.metadata = model.metadata or []
    entry = next((m for m in model.metadata if text(m.name) == METADATA_NAME), None)
    if entry is None:
        entry = schema.MetadataT()
        entry.name, entry.buffer = METADATA_NAME, len(model.buffers)
        model.metadata.append(entry)
        model.buffers.append(schema.BufferT())
    model.buffers[entry.buffer].data = np.frombuffer(metadata, np.uint8)
    return pack_model(model)


def check_quantisation(graph: bytes) -> Graph:
    """Check that the input is the grey value and every output a probability in steps of 1/256; else raise EdgeError."""
    found = read_graph(graph)
    for kind, specs, scale in (("input", found.inputs, 1.0), ("output", found.outputs, STEP)):
        for name, spec in specs.items():
            if spec != TensorSpec(shape=spec.shape, dtype="uint8", scale=scale, zero_point=0):
                raise EdgeError(
                    f"expected {kind} {name} in uint8 with scale {scale} and zero point 0, "
                    f"got {spec.dtype}, {spec.scale}, {spec.zero_point}",
                    hint="representative pictures must reach 0 and 255; heads must end in softmax or sigmoid",
                )
    return found


def unpack_model(graph: bytes) -> schema.ModelT:
    """Read a flatbuffer into objects that can be edited."""
    return schema.ModelT.InitFromObj(schema.Model.GetRootAs(graph, 0))


def pack_model(model: schema.ModelT) -> bytes:
    """Write edited objects as a flatbuffer again."""
    builder = flatbuffers.Builder(4 * 2**20)
    builder.Finish(model.Pack(builder), file_identifier=b"TFL3")
    return bytes(builder.Output())


def text(value: bytes | str) -> str:
    """Decode a name, which the schema reads as bytes."""
    return value.decode("utf-8") if isinstance(value, bytes) else value
