"""Model bundle: one ``.tflite`` with its manifest, labels, model card, and golden vectors that prove its outputs."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from edge.contracts.decoding import UnreadableError, decode_json
from edge.contracts.errors import ModelError
from edge.contracts.finding import ModelRef
from edge.contracts.manifest import ModelManifest
from edge.models.bundle_checks import check_golden, check_hash, check_labels, check_manifest
from edge.models.bundle_file import read_model_file, split_bundle
from edge.models.golden_vectors import read_golden
from edge.models.graph import read_graph

if TYPE_CHECKING:
    from edge.models.golden_vectors import GoldenVectors

SHIPPED_BUNDLE = Path(__file__).parent / "data" / "breast.tflite"
"""The bundle that ships with the package."""


@dataclass(frozen=True)
class Bundle:
    """A model bundle that passed every check that needs no runtime. `edge.pipeline.selftest` does the rest."""

    path: Path
    sha256: str
    """SHA-256, hex, of the whole file."""
    size: int
    """Size of the whole file in bytes."""
    manifest: ModelManifest
    labels: tuple[str, ...]
    """Class names of the malignancy head, in its order."""
    card: str
    """MODEL_CARD.md, for people."""
    golden: GoldenVectors

    def model_ref(self, signer: str | None = None) -> ModelRef:
        """Reference to this model for findings. ``signer``: id of the trusted key that signed it; None: none."""
        name, version = self.manifest.name, self.manifest.version
        return ModelRef(name=name, version=version, sha256=self.sha256, signature=signer)

    @cached_property
    def model_bytes(self) -> bytes:
        """Bytes of the whole file, read when first used. `ModelError` if it is not what was checked any more."""
        data = read_model_file(self.path)
        if hashlib.sha256(data).hexdigest() != self.sha256:
            raise ModelError(
                f"{self.path.name} changed while it was in use", hint="restart, so that it is checked anew"
            )
        return data


def load_bundle(path: str | Path | None = None) -> Bundle:
    """Read and check a model bundle; None: the one that ships with the package.

    Raises:
        ModelError: the file is missing, damaged, no bundle, or its manifest is not true.
    """
    path = SHIPPED_BUNDLE if path is None else Path(path)
    data = read_model_file(path)
    try:
        return _parse(path, data)
    except ModelError as error:
        raise ModelError(f"{path.name}: {error.message}", hint=error.hint) from error.__cause__


def _parse(path: Path, data: bytes) -> Bundle:
    parts = split_bundle(data)
    manifest = read_manifest(parts.members["manifest.json"])
    check_hash(manifest, parts.graph)
    check_manifest(manifest, read_graph(parts.graph))
    labels = tuple(_text(parts.members["labels.txt"], "labels.txt").splitlines())
    check_labels(labels, manifest)
    golden = read_golden(parts.members["golden.npz"], manifest)
    check_golden(golden, manifest)
    return Bundle(
        path=path,
        sha256=hashlib.sha256(data).hexdigest(),
        size=len(data),
        manifest=manifest,
        labels=labels,
        card=_text(parts.members["MODEL_CARD.md"], "MODEL_CARD.md"),
        golden=golden,
    )


def read_manifest(body: bytes) -> ModelManifest:
    """Decode ``manifest.json``. Raises `ModelError` if it is not valid, or of a version that is not known here."""
    try:
        return decode_json(body, ModelManifest)
    except UnreadableError as error:
        raise ModelError(
            f"manifest.json is not valid: {error}",
            hint="the bundle is damaged, or made for another version of sonoedge: export it anew",
        ) from error


def _text(body: bytes, name: str) -> str:
    try:
        return body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ModelError(f"{name} is not UTF-8", hint="the bundle is damaged: copy it again") from error
