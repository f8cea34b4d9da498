"""Recurrent step of a bundle, ``clip.tflite``: a flatbuffer with its own ``clip.json`` and golden sequence behind it.

golden.npz      x (120, rows, 7), h, malignancy, presence (120, rows, …): raw, each step fed with the state before it
"""

from __future__ import annotations

import hashlib
import io
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from edge.contracts.clip_model import FEATURES, FEATURES_VERSION, GOLDEN_STEPS, ClipManifest
from edge.contracts.decoding import UnreadableError, decode_json
from edge.contracts.errors import ModelError
from edge.models.bundle_file import member_names, split_bundle
from edge.models.bundle_writer import append_zip
from edge.models.golden_vectors import read_arrays
from edge.models.graph import read_graph

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from edge.models.graph import Graph

CLIP = "clip.tflite"
"""Name of the member in a bundle."""
MEMBERS = {"clip.json": 2**16, "golden.npz": 2**19}
INPUTS, OUTPUTS = ("h", "x"), ("h", "malignancy", "presence")
MAX_UNITS, MAX_ROWS = 256, 64
HINT = "the bundle is inconsistent: export it anew, or take clip.tflite out"


@dataclass(frozen=True, eq=False)
class ClipModel:
    """A recurrent step that passed every check that needs no runtime."""

    manifest: ClipManifest
    graph: bytes
    golden: dict[str, NDArray[Any]]
    """By name (see above), int8."""


def is_clip_model(data: bytes) -> bool:
    """Whether a member of that name is a step: a bare graph, without ``clip.json``, has never been used."""
    return "clip.json" in member_names(data)


def read_clip_model(data: bytes, frame_model_sha256: str) -> ClipModel:
    """Read and check ``clip.tflite``. ``frame_model_sha256``: of the graph that it stands beside.

    Raises `ModelError` if it is damaged, of another shape or version, or made for another frame model.
    """
    parts = split_bundle(data, MEMBERS, optional=False)
    manifest = _manifest(parts.members["clip.json"])
    if manifest.graph_sha256 != hashlib.sha256(parts.graph_view).hexdigest():
        raise ModelError("its bytes are not those that clip.json was written for", hint=HINT)
    if manifest.frame_model_sha256 != frame_model_sha256:
        raise ModelError("it was made for another frame model", hint="fit it anew on this model's answers")
    if manifest.features_version != FEATURES_VERSION:
        raise ModelError(
            f"it wants features of version {manifest.features_version}, here they are of {FEATURES_VERSION}",
            hint="fit it anew with this version of sonoedge",
        )
    graph = read_graph(parts.graph_view)
    _check_graph(graph)
    golden = read_arrays(parts.members["golden.npz"])
    _check_golden(golden, graph)
    return ClipModel(manifest, parts.graph, golden)


def write_clip_model(graph: bytes, manifest: ClipManifest, golden: Mapping[str, NDArray[Any]]) -> bytes:
    """Bytes of ``clip.tflite``; the manifest's ``graph_sha256`` is filled in."""
    manifest = msgspec.structs.replace(manifest, graph_sha256=hashlib.sha256(graph).hexdigest())
    file = io.BytesIO()
    arrays: dict[str, Any] = dict(golden)  # numpy's stub takes a value for ``allow_pickle``
    np.savez_compressed(file, **arrays)
    body = msgspec.json.format(msgspec.json.encode(manifest), indent=1)
    return append_zip(graph, {"clip.json": body, "golden.npz": file.getvalue()})


def _manifest(body: bytes) -> ClipManifest:
    try:
        return decode_json(body, ClipManifest)
    except UnreadableError as error:
        raise ModelError(f"clip.json is not valid: {error}", hint=HINT) from error


def _check_graph(graph: Graph) -> None:
    if tuple(sorted(graph.inputs)) != INPUTS or tuple(sorted(graph.outputs)) != OUTPUTS:
        got = f"{', '.join(sorted(graph.inputs))} to {', '.join(sorted(graph.outputs))}"
        raise ModelError(f"expected {', '.join(INPUTS)} to {', '.join(OUTPUTS)}, got {got}", hint=HINT)
    rows, units = (*graph.inputs["h"].shape, 0, 0)[:2]
    if not 1 <= rows <= MAX_ROWS or not 1 <= units <= MAX_UNITS:
        raise ModelError(f"expected h of up to {MAX_ROWS} rows and {MAX_UNITS} units, got {rows, units}", hint=HINT)
    wanted = {"h": (rows, units), "malignancy": (rows, 1), "presence": (rows, 1)}
    shapes = {name: spec.shape for name, spec in graph.outputs.items()}
    if shapes != wanted or graph.inputs["h"].shape != (rows, units) or graph.inputs["x"].shape != (rows, len(FEATURES)):
        raise ModelError(f"expected outputs {wanted} and x ({rows}, {len(FEATURES)}), got {shapes}", hint=HINT)
    specs = [*graph.inputs.values(), *graph.outputs.values()]
    if any(spec.dtype != "int8" or not 0 < spec.scale <= 1 for spec in specs):
        raise ModelError("expected int8 inputs and outputs with scales up to 1", hint=HINT)


def _check_golden(golden: dict[str, NDArray[Any]], graph: Graph) -> None:
    specs = {"x": graph.inputs["x"], **graph.outputs}
    wanted = {name: (GOLDEN_STEPS, *spec.shape) for name, spec in specs.items()}
    found = {name: array.shape for name, array in golden.items()}
    if found != wanted or any(array.dtype != np.int8 for array in golden.values()):
        raise ModelError(f"golden.npz of the step: expected int8 {wanted}, got {found}", hint=HINT)
    if any(int(golden[name].max()) - int(golden[name].min()) < 16 for name in ("malignancy", "presence")):
        raise ModelError("golden.npz of the step proves nothing: its outputs hardly move", hint=HINT)
