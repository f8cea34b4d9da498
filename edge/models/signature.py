"""Signature check of a file: verifies ``model.tflite.sig`` beside it with the public keys that this device trusts.

The file is a Sigstore bundle as OpenSSF model signing 1.0 writes it for a key: a DSSE envelope around an in-toto
statement that names the model's SHA-256. Any of that project's tools can check it too; the device needs none of them,
no network and no clock: a key is trusted for as long as its file is named in the settings. It is the same for all that
a runtime loads beside the bundle: an ONNX file, a delegate's library. Only a hash is needed of the file itself, so
nothing of it is parsed before.
"""

from __future__ import annotations

import base64
import binascii
import errno
import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import msgspec

from edge.contracts.decoding import UnreadableError, decode_json
from edge.contracts.errors import DeviceError, ModelError, UsageError
from edge.process.install import install_command
from edge.process.sealed_file import read_once

if TYPE_CHECKING:
    from collections.abc import Sequence

MEDIA_TYPE = "application/vnd.dev.sigstore.bundle"
PAYLOAD_TYPE = "application/vnd.in-toto+json"
STATEMENT_TYPE = "https://in-toto.io/Statement/v1"
PREDICATE_TYPE = "https://model_signing/signature/v1.0"
CURVES = {"secp256r1": "SHA256", "secp384r1": "SHA384", "secp521r1": "SHA512"}
"""The curves that the format knows, and the hash that goes with each. By name: others have as many bits."""
MAX_SIGNATURE = 64 * 1024
"""Most bytes of a signature file."""
RESIGN = "copy the file and its .sig again, or sign it anew: python -m export sign FILE --key KEY.pem"


@dataclass(frozen=True, slots=True)
class SignaturePolicy:
    """Which keys are trusted, and whether what they did not sign is refused."""

    keys: tuple[str, ...] = ()
    """Paths of trusted public keys, PEM."""
    required: bool = False
    """Whether a file without a signature is refused. One with a wrong signature always is, where there are keys."""


NO_KEYS = SignaturePolicy()
"""No key is trusted, and none is asked for."""


class DsseSignature(msgspec.Struct):
    """One signature of a DSSE envelope, base64."""

    sig: str


class DsseEnvelope(msgspec.Struct, rename="camel"):
    """DSSE envelope: what was signed, and the signatures."""

    payload: str
    payload_type: str
    signatures: list[DsseSignature]


class SignatureFile(msgspec.Struct, rename="camel"):
    """Content of a ``.sig`` file: as much of a Sigstore bundle as a key's signature needs."""

    media_type: str
    dsse_envelope: DsseEnvelope


class StatementSubject(msgspec.Struct):
    """Subject of the in-toto statement: digests of the model as a whole."""

    digest: dict[str, str]


class SignedFile(msgspec.Struct):
    """One file of the model, with its digest in hex."""

    algorithm: str
    digest: str


class StatementPredicate(msgspec.Struct):
    """Predicate of the in-toto statement: all files of the model."""

    resources: list[SignedFile]


class InTotoStatement(msgspec.Struct, rename={"kind": "_type", "predicate_type": "predicateType"}):
    """In-toto statement, the fields that are checked. Names of files are not: a bundle may be renamed."""

    kind: str
    subject: list[StatementSubject]
    predicate_type: str
    predicate: StatementPredicate


def signature_path(file: Path) -> Path:
    """Path of the signature file of a bundle or another file: beside it, with ``.sig`` added."""
    return file.with_name(f"{file.name}.sig")


def check_signature(file: Path, sha256: str, policy: SignaturePolicy) -> str | None:
    """Signature check: the id (see `key_id`) of the trusted key that signed this SHA-256 (hex) of ``file``.

    None: there is no signature, or no trusted key to verify it with. ``file`` itself is not read: its bytes are the
    caller's, who has hashed them.

    Raises:
        ModelError: the signature is missing though required, damaged, of another file or of an unknown key.
        UsageError: a signature is required and no key is named, or a key's file is no key.
        DeviceError: the package ``cryptography`` is needed and not installed.
    """
    if not policy.keys:
        if policy.required:
            raise UsageError("require_signed_model is set, but model_keys names no key", hint="name a public key's PEM")
        return None
    trusted = [read_public_key(Path(path)) for path in policy.keys]
    path = signature_path(file)
    try:
        data = read_once(path, MAX_SIGNATURE)
    except (FileNotFoundError, NotADirectoryError):
        if policy.required:
            _fail(path, "is missing: this device takes signed models alone")
        return None
    except OSError as error:
        if error.errno == errno.EFBIG:
            _fail(path, f"has over {MAX_SIGNATURE} bytes")
        raise ModelError(
            f"signature {path.name} cannot be read: {error.strerror}", hint="check its permissions"
        ) from error
    return verify_signature(path, data, sha256, trusted)


def verify_signature(path: Path, data: bytes, sha256: str, trusted: Sequence[Any]) -> str:
    """Verify a signature file: the id of the ``trusted`` key that signed this SHA-256 (hex). `ModelError` if none did.

    ``path`` is for messages alone, ``data`` the file's bytes.
    """
    try:
        envelope = decode_json(data, SignatureFile)
        signed = envelope.dsse_envelope
        payload = base64.b64decode(signed.payload, validate=True)
        signatures = [base64.b64decode(each.sig, validate=True) for each in signed.signatures]
    except (UnreadableError, binascii.Error, ValueError) as error:
        raise ModelError(f"signature {path.name} is no model signature: {error}", hint=RESIGN) from error
    if not envelope.media_type.startswith(MEDIA_TYPE) or signed.payload_type != PAYLOAD_TYPE or len(signatures) != 1:
        _fail(path, f"is no model signature: {envelope.media_type[:80]}, {signed.payload_type[:80]}")
    signer = next((key for key in trusted if _signed_by(key, signatures[0], payload)), None)
    if signer is None:  # before anything of the payload is trusted
        _fail(path, f"was made by none of the {len(trusted)} trusted keys, or changed since")
    try:
        statement = decode_json(payload, InTotoStatement)
        (subject,), (resource,) = statement.subject, statement.predicate.resources
        digest = bytes.fromhex(resource.digest)
    except (UnreadableError, ValueError) as error:
        raise ModelError(f"signature {path.name}: expected one signed file: {error}", hint=RESIGN) from error
    if (statement.kind, statement.predicate_type) != (STATEMENT_TYPE, PREDICATE_TYPE):
        _fail(path, f"says {statement.kind[:80]}, {statement.predicate_type[:80]}, which is not known")
    if resource.algorithm != "sha256" or subject.digest.get("sha256") != hashlib.sha256(digest).hexdigest():
        _fail(path, "contradicts itself: the file's digest is not the subject's")
    if resource.digest != sha256:
        _fail(path, f"is of another file: signed {resource.digest[:16]}…, this one has {sha256[:16]}…")
    return key_id(signer)


def read_public_key(path: Path) -> Any:
    """Read a public key in PEM. `UsageError` if the file holds none on a curve that the format knows."""
    serialization, elliptic, _, _, unsupported = _cryptography()
    try:
        key = serialization.load_pem_public_key(read_once(path, MAX_SIGNATURE))
    except (OSError, ValueError, unsupported) as error:
        raise UsageError(
            f"model_keys: {path} is no public key in PEM: {error}",
            hint="openssl ec -in key.pem -pubout -out key.pub makes one of a private key",
        ) from error
    curve = key.curve.name if isinstance(key, elliptic.EllipticCurvePublicKey) else type(key).__name__
    if curve not in CURVES:
        raise UsageError(
            f"model_keys: {path}: expected a key on one of {', '.join(CURVES)}, got {curve}",
            hint="openssl ecparam -name prime256v1 -genkey makes a private key that will do",
        )
    return key


def key_id(key: Any) -> str:
    """SHA-256, hex, of the public key's PEM: the hint that model signing writes beside a signature."""
    serialization = _cryptography()[0]
    pem: bytes = key.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    return hashlib.sha256(pem).hexdigest()


def _signed_by(key: Any, signature: bytes, payload: bytes) -> bool:
    """Whether ``signature`` is ``key``'s over ``payload``, in DSSE's pre-authentication encoding."""
    _, elliptic, hashes, invalid, _ = _cryptography()
    encoded = b"DSSEv1 %d %s %d %s" % (len(PAYLOAD_TYPE), PAYLOAD_TYPE.encode(), len(payload), payload)
    try:
        key.verify(signature, encoded, elliptic.ECDSA(getattr(hashes, CURVES[key.curve.name])()))
    except invalid:
        return False
    return True


def _cryptography() -> tuple[Any, Any, Any, type[Exception], type[Exception]]:
    """The parts that are needed, imported only where keys are: serialization, ec, hashes and the two errors."""
    try:
        from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
        from cryptography.hazmat.primitives import hashes, serialization
        from cryptography.hazmat.primitives.asymmetric import ec
    except ImportError as error:
        raise DeviceError(
            f"model signatures cannot be checked here: {error}", hint=install_command("signed")
        ) from error
    return serialization, ec, hashes, InvalidSignature, UnsupportedAlgorithm


def _fail(path: Path, message: str) -> NoReturn:
    raise ModelError(f"signature {path.name} {message}", hint=RESIGN)
