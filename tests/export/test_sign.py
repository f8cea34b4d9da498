"""Signing: what is written is what devices check, and what cannot sign says so."""

from __future__ import annotations

import hashlib
import sys

import pytest

from edge.contracts.errors import DeviceError, UsageError
from edge.models.signature import read_public_key, verify_signature
from export.sign import sign_file


def test_without_model_signing_the_hint_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "model_signing", None)
    with pytest.raises(DeviceError, match="cannot be signed here") as caught:
        sign_file(tmp_path / "m.tflite", tmp_path / "key.pem")
    assert "model-signing" in caught.value.hint


@pytest.mark.filterwarnings("default")  # of what model-signing imports
def test_a_signature_is_one_that_devices_believe(tmp_path):
    pytest.importorskip("model_signing.signing", reason="bundles are signed with the extra 'export'")
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key, model = ec.generate_private_key(ec.SECP256R1()), tmp_path / "m.tflite"
    plain, pem = serialization.NoEncryption(), serialization.Encoding.PEM
    private = key.private_bytes(pem, serialization.PrivateFormat.TraditionalOpenSSL, plain)
    public = key.public_key().public_bytes(pem, serialization.PublicFormat.SubjectPublicKeyInfo)
    (tmp_path / "key.pem").write_bytes(private)
    (tmp_path / "key.pub").write_bytes(public)
    model.write_bytes(b"a model")
    path = sign_file(model, tmp_path / "key.pem")
    assert path.name == "m.tflite.sig"
    digest = hashlib.sha256(b"a model").hexdigest()
    trusted = read_public_key(tmp_path / "key.pub")
    assert verify_signature(path, path.read_bytes(), digest, [trusted]) == hashlib.sha256(public).hexdigest()
    with pytest.raises(UsageError, match="does not exist"):
        sign_file(model, tmp_path / "gone.pem")
    with pytest.raises(UsageError, match="no private key"):
        sign_file(model, tmp_path / "key.pub")
