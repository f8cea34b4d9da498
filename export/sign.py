"""Sign a bundle, or a file that a runtime loads beside it, with a key of one's own: no network, no identity provider.

The format is that of OpenSSF model signing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge.contracts.errors import DeviceError, UsageError
from edge.models.signature import signature_path

if TYPE_CHECKING:
    from pathlib import Path


def sign_file(file: Path, key: Path, password: str | None = None) -> Path:
    """Write the digital signature of ``file`` beside it and return the path of the signature file.

    Args:
        file: any file; the caller checks that it is what it should be.
        key: private key, PEM, on one of NIST's curves.
        password: of the key; None: it has none.

    Raises:
        UsageError: the key cannot be used.
        DeviceError: model-signing is not installed.
    """
    try:
        from model_signing import signing
    except ImportError as error:
        raise DeviceError(f"files cannot be signed here: {error}", hint="pip install model-signing") from error
    if not key.is_file():
        raise UsageError(f"{key} does not exist", hint="openssl ecparam -name prime256v1 -genkey -noout -out key.pem")
    path = signature_path(file)
    try:
        signer = signing.Config().use_elliptic_key_signer(private_key=key, password=password)
    except (ValueError, TypeError, AttributeError) as error:
        raise UsageError(
            f"{key} is no private key that can sign: {error}",
            hint="openssl ecparam -name prime256v1 -genkey -noout -out key.pem",
        ) from error
    signer.sign(file, path)
    return path
