"""Signature check of bundles: what model-signing wrote is trusted, and nothing else is."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest

from edge.app.compose import choose_model
from edge.config.settings import Settings
from edge.contracts.errors import DeviceError, ModelError, UsageError
from edge.models.bundle import SHIPPED_BUNDLE, load_bundle
from edge.models.signature import (
    SignaturePolicy,
    key_id,
    read_public_key,
    signature_path,
    verify_signature,
)

pytest.importorskip("cryptography", reason="signatures are checked with the extra 'signed'")
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from signing import envelope, sign, statement, write_public_key

VECTOR = json.loads((Path(__file__).parent / "signature_vector.json").read_text())
SHA256 = hashlib.sha256(VECTOR["text"].encode()).hexdigest()
NAME = Path("model.tflite.sig")


@pytest.fixture
def key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


@pytest.fixture
def signed(tmp_path, key) -> tuple[Path, str]:
    """A bundle with its signature, and the path of the public key."""
    path = tmp_path / "model.tflite"
    shutil.copy(SHIPPED_BUNDLE, path)
    return sign(path, key), write_public_key(tmp_path / "key.pub", key)


def test_what_model_signing_wrote_is_verified(tmp_path):
    (tmp_path / "key.pub").write_text(VECTOR["public_key"])
    trusted = read_public_key(tmp_path / "key.pub")
    signer = verify_signature(NAME, json.dumps(VECTOR["signature"]).encode(), SHA256, [trusted])
    assert signer == VECTOR["signature"]["verificationMaterial"]["publicKey"]["hint"] == key_id(trusted)


@pytest.mark.parametrize("curve", [ec.SECP384R1(), ec.SECP521R1()], ids=lambda curve: curve.name)
def test_each_curve_has_its_hash(tmp_path, curve):
    key = ec.generate_private_key(curve)
    hashed = hashes.SHA384() if curve.key_size == 384 else hashes.SHA512()
    body = json.dumps(statement(SHA256)).encode()
    trusted = read_public_key(Path(write_public_key(tmp_path / "k", key)))
    assert verify_signature(NAME, json.dumps(envelope(key, body, hashed)).encode(), SHA256, [trusted]) == key_id(
        trusted
    )
    with pytest.raises(ModelError, match="none of the 1 trusted"):
        verify_signature(NAME, json.dumps(envelope(key, body, hashes.SHA256())).encode(), SHA256, [trusted])


def test_findings_name_the_key(signed):
    path, trusted = signed
    model = choose_model(Settings(model=str(path), model_keys=[trusted], require_signed_model=True))
    assert model.ref.signature == key_id(read_public_key(Path(trusted)))
    assert model.ref.sha256 == load_bundle(path).sha256


def test_without_keys_nothing_is_claimed(signed):
    path, _ = signed
    assert choose_model(Settings(model=str(path))).ref.signature is None


def test_a_missing_signature_is_refused_only_where_one_is_required(signed):
    path, trusted = signed
    signature_path(path).unlink()
    assert choose_model(Settings(model=str(path), model_keys=[trusted])).ref.signature is None
    with pytest.raises(ModelError, match="takes signed models alone"):
        choose_model(Settings(model=str(path), model_keys=[trusted], require_signed_model=True))


def test_optional_members_are_under_the_same_signature(editable_bundle, tmp_path, key):
    editable_bundle.extra = {"clip.tflite": editable_bundle.graph, "later.tflite": b"of a later version"}
    path = sign(editable_bundle.write(tmp_path / "with.tflite"), key)
    policy = SignaturePolicy((write_public_key(tmp_path / "key.pub", key),), required=True)
    bundle = load_bundle(path, policy)
    assert bundle.signer == key_id(read_public_key(tmp_path / "key.pub"))
    assert bundle.optional == {"clip.tflite": len(editable_bundle.graph), "later.tflite": 18}
    editable_bundle.extra["later.tflite"] = b"of another version"
    editable_bundle.write(path)
    with pytest.raises(ModelError, match="is of another file"):
        load_bundle(path, policy)


def test_to_require_without_a_key_is_a_mistake():
    with pytest.raises(UsageError, match="names no key"):
        choose_model(Settings(require_signed_model=True))


@pytest.mark.parametrize("required", [True, False])
def test_a_changed_bundle_is_refused(signed, required):
    path, trusted = signed
    with path.open("r+b") as file:
        file.seek(-1, os.SEEK_END)
        file.write(b"\1")
    with pytest.raises(ModelError, match="is of another file"):
        load_bundle(path, SignaturePolicy((trusted,), required))


def test_another_key_is_refused_and_one_of_several_is_enough(signed, tmp_path):
    path, trusted = signed
    stranger = write_public_key(tmp_path / "stranger.pub", ec.generate_private_key(ec.SECP256R1()))
    with pytest.raises(ModelError, match="none of the 1 trusted keys"):
        load_bundle(path, SignaturePolicy((stranger,)))
    signer = load_bundle(path, SignaturePolicy((stranger, trusted), required=True)).signer
    assert signer == key_id(read_public_key(Path(trusted)))


def test_one_bit_of_the_payload_breaks_it(signed):
    path, trusted = signed
    file = signature_path(path)
    said = json.loads(file.read_text())
    payload = bytearray(base64.b64decode(said["dsseEnvelope"]["payload"]))
    payload[-1] ^= 1
    said["dsseEnvelope"]["payload"] = base64.b64encode(payload).decode()
    file.write_text(json.dumps(said))
    with pytest.raises(ModelError, match="or changed since"):
        load_bundle(path, SignaturePolicy((trusted,)))


def change(what: str) -> dict[str, Any]:
    said = statement(SHA256)
    if what == "subject":
        said["subject"][0]["digest"]["sha256"] = SHA256
    elif what == "two files":
        said["predicate"]["resources"] *= 2
    elif what == "predicate":
        said["predicateType"] = "https://example.org/other"
    elif what == "algorithm":
        said["predicate"]["resources"][0]["algorithm"] = "md5"
    elif what == "no hex":
        said["predicate"]["resources"][0]["digest"] = "zz"
    return said


@pytest.mark.parametrize("what", ["subject", "two files", "predicate", "algorithm", "no hex"])
def test_a_trusted_key_cannot_sign_nonsense(tmp_path, key, what):
    trusted = read_public_key(Path(write_public_key(tmp_path / "k", key)))
    data = json.dumps(envelope(key, json.dumps(change(what)).encode())).encode()
    with pytest.raises(ModelError, match=r"contradicts itself|one signed file|not known"):
        verify_signature(NAME, data, SHA256, [trusted])


@pytest.mark.parametrize("data", [b"", b"{", b"\xff\xfe", b"{}", b"[" * 5000, b'{"mediaType": 1}', b"null"])
def test_what_is_no_signature(tmp_path, key, data):
    trusted = read_public_key(Path(write_public_key(tmp_path / "k", key)))
    with pytest.raises(ModelError, match="no model signature"):
        verify_signature(NAME, data, SHA256, [trusted])


@pytest.mark.parametrize("field", ["mediaType", "payloadType", "signatures", "sig"])
def test_other_kinds_of_envelope(tmp_path, key, field):
    said = envelope(key, json.dumps(statement(SHA256)).encode())
    inner = said["dsseEnvelope"]
    if field == "mediaType":
        said[field] = "text/plain"
    elif field == "payloadType":
        inner["payloadType"] = "text/plain"
    elif field == "signatures":
        inner["signatures"] *= 2
    else:
        inner["signatures"][0]["sig"] = "no base64!"
    with pytest.raises(ModelError, match="no model signature"):
        verify_signature(
            NAME, json.dumps(said).encode(), SHA256, [read_public_key(Path(write_public_key(tmp_path / "k", key)))]
        )


def test_a_huge_signature_is_not_read(signed):
    path, trusted = signed
    signature_path(path).write_bytes(b" " * 70_000)
    with pytest.raises(ModelError, match="over 65536 bytes"):
        load_bundle(path, SignaturePolicy((trusted,)))


def test_keys_that_are_none(tmp_path, signed):
    (tmp_path / "words").write_text("no key")
    other = write_public_key(tmp_path / "ed", ed25519.Ed25519PrivateKey.generate())
    for path, message in ((tmp_path / "words", "no public key"), (tmp_path / "gone", "no public key")):
        with pytest.raises(UsageError, match=message):
            load_bundle(signed[0], SignaturePolicy((str(path),)))
    with pytest.raises(UsageError, match="got Ed25519PublicKey"):
        load_bundle(signed[0], SignaturePolicy((other,)))


@pytest.mark.parametrize("curve", [ec.SECP224R1(), ec.SECP256K1()], ids=lambda curve: curve.name)
def test_a_key_on_another_curve_is_none_however_many_bits_it_has(tmp_path, curve):
    path = write_public_key(tmp_path / "other", ec.generate_private_key(curve))
    with pytest.raises(UsageError, match=f"expected a key on one of secp256r1.*, got {curve.name}"):
        read_public_key(Path(path))


UNSUPPORTED = "3021300c06082a03040506070809050003110000112233445566778899aabbccddeeff"
"""A SubjectPublicKeyInfo of an algorithm that there is not."""


def test_a_key_of_an_unknown_algorithm_is_none(tmp_path):
    pem = base64.encodebytes(bytes.fromhex(UNSUPPORTED)).decode()
    (tmp_path / "key").write_text(f"-----BEGIN PUBLIC KEY-----\n{pem}-----END PUBLIC KEY-----\n")
    with pytest.raises(UsageError, match="no public key in PEM"):
        read_public_key(tmp_path / "key")


def test_without_cryptography_the_hint_says_what_to_install(signed, monkeypatch):
    path, trusted = signed
    monkeypatch.setitem(sys.modules, "cryptography.exceptions", None)
    with pytest.raises(DeviceError, match="cannot be checked here") as caught:
        load_bundle(path, SignaturePolicy((trusted,)))
    assert "[signed]" in caught.value.hint
