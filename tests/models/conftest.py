"""Fixtures for model bundles: the shipped one, and one without weights, small enough to be broken a thousand times."""

from __future__ import annotations

import copy
import hashlib
import io
import json
import zipfile
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import flatbuffers
import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema

from edge.models.bundle import SHIPPED_BUNDLE
from edge.models.bundle_file import split_bundle

if TYPE_CHECKING:
    from pathlib import Path


@dataclass
class EditableBundle:
    """A bundle split into its parts; change them, then `write` it."""

    graph: bytes
    manifest: dict[str, Any]
    members: dict[str, bytes]
    golden: dict[str, np.ndarray]
    compression: int = zipfile.ZIP_STORED
    extra: dict[str, bytes] = field(default_factory=dict)

    def bytes(self) -> bytes:
        self.manifest.setdefault("graph_sha256", hashlib.sha256(self.graph).hexdigest())
        npz = io.BytesIO()
        np.savez_compressed(npz, **self.golden)
        members = {
            "labels.txt": b"benign\nmalignant",
            "manifest.json": json.dumps(self.manifest).encode(),
            "golden.npz": npz.getvalue(),
            "MODEL_CARD.md": b"# card",
            **self.members,
        }
        file = io.BytesIO(self.graph)
        with zipfile.ZipFile(file, "a", self.compression) as archive:
            for name, body in {**members, **self.extra}.items():
                if body is not None:
                    archive.writestr(name, body)
        return file.getvalue()

    def write(self, path: Path) -> Path:
        path.write_bytes(self.bytes())
        return path


@pytest.fixture(scope="session")
def shipped_bytes() -> bytes:
    return SHIPPED_BUNDLE.read_bytes()


@pytest.fixture(scope="session")
def _weightless_bundle(shipped_bytes: bytes) -> EditableBundle:
    parts = split_bundle(shipped_bytes)
    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(parts.graph, 0))
    for buffer in model.buffers:
        buffer.data = None
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), file_identifier=b"TFL3")
    manifest = json.loads(parts.members["manifest.json"])
    del manifest["graph_sha256"]
    with np.load(io.BytesIO(parts.members["golden.npz"])) as golden:
        arrays = {name: golden[name] for name in golden.files}
    return EditableBundle(bytes(builder.Output()), manifest, {}, arrays)


@pytest.fixture
def editable_bundle(_weightless_bundle: EditableBundle) -> EditableBundle:
    return copy.deepcopy(_weightless_bundle)


@pytest.fixture(scope="session")
def weightless_bytes(_weightless_bundle: EditableBundle) -> bytes:
    return copy.deepcopy(_weightless_bundle).bytes()
