"""Credentials of the page: a random token, and a self-signed certificate with its key, in files of mode 0600."""

from __future__ import annotations

import ipaddress
import os
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

from edge.contracts.errors import ConfigError, UsageError
from edge.process.install import install_command

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

TOKEN_BYTES = 24


@dataclass(frozen=True, slots=True)
class Credentials:
    """Files that were made, and what the certificate is for."""

    token_file: Path
    cert_file: Path
    key_file: Path
    names: list[str]
    fingerprint: str
    """SHA-256 of the certificate, as browsers show it."""


def make_credentials(folder: Path, names: Sequence[str], *, force: bool, days: int) -> Credentials:
    """Make token, certificate and key in ``folder``.

    ``names``: host names and addresses of the certificate; empty: this machine's name. Raises `UsageError` if files are
    there already and not to be replaced, `ConfigError` if they cannot be made.
    """
    files = [folder / name for name in ("token", "cert.pem", "key.pem")]
    there = [file for file in files if file.exists()]
    if there and not force:
        raise UsageError(f"{there[0]} is there already", hint="give another folder, or --force to replace all three")
    found = list(names) or [os.uname().nodename.lower()]
    cert, key, fingerprint = _certificate(found, days)
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        for file, content in zip(files, (secrets.token_urlsafe(TOKEN_BYTES).encode() + b"\n", cert, key), strict=True):
            handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
            with os.fdopen(handle, "wb") as opened:
                opened.write(content)
    except OSError as error:
        message = f"{folder} cannot be written: {error.strerror}"
        raise ConfigError(message, hint="give another folder, or mend its permissions") from None
    return Credentials(files[0].absolute(), files[1].absolute(), files[2].absolute(), found, fingerprint)


def _certificate(names: Sequence[str], days: int) -> tuple[bytes, bytes, str]:
    """Self-signed certificate and key in PEM, and the fingerprint. Raises `ConfigError` without cryptography."""
    try:
        from cryptography import x509
        from cryptography.hazmat.primitives import hashes, serialization
        from cryptography.hazmat.primitives.asymmetric import ec
        from cryptography.x509.oid import NameOID
    except ImportError:
        raise ConfigError(
            "a certificate is made with cryptography, which is not installed", hint=install_command("signed")
        ) from None
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0][:64])])
    now = datetime.now(timezone.utc)
    alternatives = [_alternative(x509, name) for name in names]
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=days))
        .add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    fingerprint = made.fingerprint(hashes.SHA256()).hex(":").upper()
    return made.public_bytes(serialization.Encoding.PEM), pem, fingerprint


def _alternative(x509: Any, name: str) -> Any:
    """Name of a certificate: an address, or a host name."""
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)
