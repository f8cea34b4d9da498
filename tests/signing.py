"""Signatures for tests, in the OpenSSF model signing format, as ``python -m export sign`` writes them."""

from __future__ import annotations

import base64
import hashlib
import json
from typing import TYPE_CHECKING, Any

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from edge.models.signature import PAYLOAD_TYPE, signature_path

if TYPE_CHECKING:
    from pathlib import Path


def statement(sha256: str) -> dict[str, Any]:
    """In-toto statement about a file with this hash."""
    root = hashlib.sha256(bytes.fromhex(sha256)).hexdigest()
    return {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{"name": "m", "digest": {"sha256": root}}],
        "predicateType": "https://model_signing/signature/v1.0",
        "predicate": {"resources": [{"name": ".", "algorithm": "sha256", "digest": sha256}]},
    }


def envelope(key: ec.EllipticCurvePrivateKey, payload: bytes, hashed: Any = None) -> dict[str, Any]:
    """Sigstore bundle around the payload, signed with ``key``."""
    encoded = f"DSSEv1 {len(PAYLOAD_TYPE)} {PAYLOAD_TYPE} {len(payload)} ".encode() + payload
    return {
        "mediaType": "application/vnd.dev.sigstore.bundle.v0.3+json",
        "verificationMaterial": {},
        "dsseEnvelope": {
            "payload": base64.b64encode(payload).decode(),
            "payloadType": PAYLOAD_TYPE,
            "signatures": [{"sig": base64.b64encode(key.sign(encoded, ec.ECDSA(hashed or hashes.SHA256()))).decode()}],
        },
    }


def write_public_key(path: Path, key: Any) -> str:
    """Write the public key of ``key`` as PEM; returns the path as text."""
    pem = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    path.write_bytes(pem)
    return str(path)


def sign(path: Path, key: ec.EllipticCurvePrivateKey) -> Path:
    """Write the signature of a file beside it; returns the file's path."""
    body = json.dumps(statement(hashlib.sha256(path.read_bytes()).hexdigest())).encode()
    signature_path(path).write_text(json.dumps(envelope(key, body)))
    return path
