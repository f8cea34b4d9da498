"""Broker address and credentials: user name, password, TLS certificates. Nothing secret of them is ever logged."""

from __future__ import annotations

import ssl
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from edge.config.uri import parse_uri
from edge.contracts.errors import SinkError

if TYPE_CHECKING:
    from edge.config.settings import SinkSettings

PLAIN_PORT, TLS_PORT = 1883, 8883
"""Ports of MQTT without and with TLS, where the URI names none."""


@dataclass(frozen=True, slots=True)
class BrokerCredentials:
    """Address and credentials of one broker: all that is needed to connect to it."""

    host: str
    port: int
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    client_id: str | None = None
    """Client identifier. None: the device's own, ``{site}/{device}``."""
    tls: ssl.SSLContext | None = field(default=None, repr=False)
    """TLS context with CA and client certificate. None: no encryption."""

    @property
    def name(self) -> str:
        """Address of the broker without secrets: ``mqtt://host:1883``."""
        scheme = "mqtt" if self.tls is None else "mqtts"
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{scheme}://{host}:{self.port}"


def read_credentials(settings: SinkSettings) -> BrokerCredentials:
    """Read the credentials and certificate files that ``settings`` names.

    Raises:
        SinkError: the URI names no host, or a password, CA, certificate or key file cannot be used.
        UsageError: the URI is none, or has another parameter than ``client_id``.
    """
    uri = parse_uri(settings.uri, "sinks")
    uri.expect("client_id")
    if not uri.host or uri.path.strip("/"):
        raise SinkError(
            f"expected {uri.scheme}://host:port, got {uri.redacted() if uri.host else 'no host'}",
            hint="topics are set with site, device and root, not in the URI",
        )
    encrypted = uri.scheme == "mqtts"
    if not encrypted and (settings.ca_file or settings.cert_file or settings.key_file):
        raise SinkError(
            f"{uri.redacted()} is not encrypted, but a certificate file is set for it",
            hint="write mqtts:// (port 8883), or leave ca_file, cert_file and key_file out",
        )
    return BrokerCredentials(
        host=uri.host,
        port=uri.port or (TLS_PORT if encrypted else PLAIN_PORT),
        username=settings.username if settings.username is not None else uri.username,
        client_id=uri.params.get("client_id"),
        password=_password(settings.password_file) if settings.password_file else uri.password,
        tls=_tls_context(settings) if encrypted else None,
    )


def _password(path: str) -> str:
    try:
        lines = Path(path).read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise SinkError(
            f"the password file {path} cannot be read: {_why(error)}", hint="its first line is the password"
        ) from None
    if not lines or not lines[0]:
        raise SinkError(f"the password file {path} is empty", hint="its first line is the password")
    return lines[0]


def _tls_context(settings: SinkSettings) -> ssl.SSLContext:
    """TLS 1.2 or newer, host name checked, trusting ``ca_file`` alone if there is one."""
    try:
        context = ssl.create_default_context(cafile=settings.ca_file)
    except OSError as error:
        raise SinkError(
            f"the CA file {settings.ca_file} cannot be used: {_why(error)}",
            hint="it holds the PEM certificate of the authority that signed the broker's",
        ) from None
    # Python 3.13 began to refuse authorities without key usage. Plain `openssl req -x509` makes such; sites have them.
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if settings.cert_file or settings.key_file:
        if not settings.cert_file:
            raise SinkError("key_file is set, but cert_file is not", hint="a client certificate needs both")
        try:
            # Without a password function OpenSSL would ask the terminal for that of an encrypted key.
            context.load_cert_chain(settings.cert_file, settings.key_file, password=lambda: "")
        except OSError as error:
            raise SinkError(
                f"the client certificate {settings.cert_file} cannot be used: {_why(error)}",
                hint="cert_file and key_file are PEM, belong together, and the key has no passphrase",
            ) from None
    return context


def _why(error: Exception) -> str:
    if isinstance(error, ssl.SSLError):
        return (error.reason or "not in PEM form").replace("_", " ").lower()
    return (error.strerror if isinstance(error, OSError) else None) or str(error)
