"""Model bundle: one ``.tflite`` with its manifest, labels, model card, and golden vectors that prove its outputs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from edge.contracts.decoding import UnreadableError, decode_json
from edge.contracts.errors import ModelError
from edge.contracts.finding import ModelRef
from edge.contracts.manifest import (
    BundleManifest,
    ClassificationManifest,
    Judges,
    ModelManifest,
    SegmentationManifest,
)
from edge.models.bundle_checks import check_golden, check_hash, check_labels, check_manifest, check_optional
from edge.models.bundle_file import seal_model, split_bundle
from edge.models.clip_model import CLIP, is_clip_model, read_clip_model
from edge.models.golden_vectors import read_golden
from edge.models.graph import read_graph
from edge.models.signature import NO_KEYS, check_signature

if TYPE_CHECKING:
    from edge.models.clip_model import ClipModel
    from edge.models.golden_vectors import GoldenVectors
    from edge.models.signature import SignaturePolicy
    from edge.process.sealed_file import SealedFile

SHIPPED_BUNDLE = Path(__file__).parent / "data" / "breast.tflite"
"""The bundle that ships with the package."""


@dataclass(frozen=True)
class Bundle:
    """A model bundle that passed every check that needs no runtime. `edge.pipeline.selftest` does the rest."""

    file: SealedFile
    """The bytes that were checked, as a path that runtimes load: whatever happens to the file on disk."""
    signer: str | None
    """Id of the trusted key that signed the file; None: none did, or no key is trusted."""
    manifest: BundleManifest
    labels: tuple[str, ...]
    """Class names of the malignancy head, or labels of another model, in the order of its output."""
    card: str
    """MODEL_CARD.md, for people."""
    golden: GoldenVectors
    optional: dict[str, int]
    """Size in bytes of each optional member by name. Those that are not known here are not read any further."""
    clip: ClipModel | None = None
    """Recurrent step that joins frames; None: rules join them."""

    @property
    def path(self) -> Path:
        """Path of the bundle, for messages and for files beside it; load `file`, never this path."""
        return self.file.origin

    @property
    def sha256(self) -> str:
        """SHA-256, hex, of the whole file."""
        return self.file.sha256

    @property
    def size(self) -> int:
        """Size of the whole file in bytes."""
        return self.file.size

    def model_ref(self) -> ModelRef:
        """Reference to this model for findings."""
        name, version = self.manifest.name, self.manifest.version
        return ModelRef(name=name, version=version, sha256=self.sha256, signature=self.signer)

    @property
    def lesion_manifest(self) -> ModelManifest:
        """Manifest, for what is about lesions alone. Raises `ModelError` for a model of another kind."""
        if not isinstance(self.manifest, ModelManifest):
            raise ModelError(
                f"{self.path.name} is a model for {self.manifest.judges}, which knows no lesions",
                hint="this needs a lesion model; edge-cli model info shows what a bundle is",
            )
        return self.manifest

    @property
    def model_bytes(self) -> bytes:
        """Bytes of the whole file, as they were checked; copied at each use."""
        return bytes(self.file.view())


def load_bundle(path: str | Path | None = None, policy: SignaturePolicy = NO_KEYS) -> Bundle:
    """Read a model bundle once, verify its signature, then parse and check it.

    Args:
        path: of the file, or a `SealedFile`; None: the bundle that ships with the package.
        policy: keys that are trusted. Nothing of a file is parsed whose signature they do not confirm.

    Raises:
        ModelError: the file is missing, damaged, no bundle, its signature is wrong or its manifest not true.
        UsageError, DeviceError: as `check_signature`; there is no sealed memory.
    """
    file = seal_model(SHIPPED_BUNDLE if path is None else path)
    signer = check_signature(file.origin, file.sha256, policy)
    try:
        return _parse(file, signer)
    except ModelError as error:
        raise ModelError(f"{file.origin.name}: {error.message}", hint=error.hint) from error.__cause__


def _parse(file: SealedFile, signer: str | None) -> Bundle:
    parts = split_bundle(bytes(file.view()))
    manifest = read_manifest(parts.members["manifest.json"])
    check_hash(manifest, parts.graph_view)
    check_manifest(manifest, read_graph(parts.graph_view))
    labels = tuple(_text(parts.members["labels.txt"], "labels.txt").splitlines())
    check_labels(labels, manifest)
    golden = read_golden(parts.members["golden.npz"], manifest)
    check_golden(golden, manifest)
    card = _text(parts.members["MODEL_CARD.md"], "MODEL_CARD.md")
    check_optional(parts.optional)
    sizes = {name: len(parts.optional[name]) for name in sorted(parts.optional)}
    return Bundle(file, signer, manifest, labels, card, golden, sizes, _clip(parts.optional.get(CLIP), manifest))


def _clip(body: bytes | None, manifest: BundleManifest) -> ClipModel | None:
    """The recurrent step of a lesion model, if there is one; one of another kind has no features for it."""
    if body is None or not isinstance(manifest, ModelManifest) or not is_clip_model(body):
        return None
    try:
        return read_clip_model(body, manifest.graph_sha256)
    except ModelError as error:
        raise ModelError(f"{CLIP}: {error.message}", hint=error.hint) from error


class ManifestKind(msgspec.Struct, frozen=True):
    """Kind of model that a manifest says it is of: decides how the rest is read."""

    judges: Judges = "lesion"


KINDS: dict[str, type[BundleManifest]] = {
    "lesion": ModelManifest,
    "classification": ClassificationManifest,
    "segmentation": SegmentationManifest,
}
"""Manifest by kind of model: those that can judge here."""


def read_manifest(body: bytes) -> BundleManifest:
    """Decode ``manifest.json``. Raises `ModelError` if it is not valid, or of a kind or version not known here."""
    try:
        judges = decode_json(body, ManifestKind).judges
        if judges not in KINDS:
            raise ModelError(
                f"the model is for {judges}, which is not judged here yet",
                hint=f"models for {', '.join(KINDS)} are: see docs/own-model.md",
            )
        return decode_json(body, KINDS[judges])
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
