"""What a broker is shown, and the errors for files and URIs that cannot be used: two lines that help, no secrets."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING, Any

import pytest
from brokers import make_certificates

from edge.config.settings import SinkSettings
from edge.contracts.errors import SinkError, UsageError
from edge.sinks.mqtt.credentials import read_credentials

if TYPE_CHECKING:
    from pathlib import Path


def credentials(uri: str, **settings: Any) -> Any:
    return read_credentials(SinkSettings(uri=uri, **settings))


def test_hosts_ports_and_names() -> None:
    assert (credentials("mqtt://h").host, credentials("mqtt://h").port, credentials("mqtt://h").tls) == (
        "h",
        1883,
        None,
    )
    assert credentials("mqtts://h").port == 8883
    assert credentials("mqtts://h").tls is not None
    assert credentials("mqtt://h:99").name == "mqtt://h:99"
    assert credentials("mqtts://[::1]:99").name == "mqtts://[::1]:99"


def test_credentials_come_from_settings_else_from_the_uri_and_never_show(tmp_path: Path) -> None:
    (tmp_path / "password").write_text("pass word\nsecond line\n")
    one = credentials("mqtt://u:p%40ss@h", username="cart", password_file=str(tmp_path / "password"))
    assert (one.username, one.password) == ("cart", "pass word")
    one = credentials("mqtt://u:p%40ss@h")
    assert (one.username, one.password) == ("u", "p@ss")
    assert "p@ss" not in repr(one)
    assert one.name == "mqtt://h:1883"


@pytest.mark.parametrize(
    ("uri", "error"),
    [
        ("mqtt://", SinkError),
        ("mqtt://h/topic", SinkError),
        ("mqtt://h?clean=1", UsageError),
        ("mqtt://h:x", UsageError),
    ],
)
def test_uris_that_cannot_be(uri: str, error: type[Exception]) -> None:
    with pytest.raises(error):
        credentials(uri)


@pytest.mark.parametrize("content", [None, "", "\n", b"\xff\xfe\x00"])
def test_password_files_that_cannot_be(tmp_path: Path, content: str | bytes | None) -> None:
    path = tmp_path / "password"
    if content is not None:
        path.write_bytes(content.encode() if isinstance(content, str) else content)
    with pytest.raises(SinkError, match="password file") as error:
        credentials("mqtt://h", password_file=str(path))
    assert error.value.hint
    assert error.value.exit_code == 6


def test_certificates_need_an_encrypted_uri(tmp_path: Path) -> None:
    with pytest.raises(SinkError, match="not encrypted") as error:
        credentials("mqtt://h", ca_file=str(tmp_path / "ca.pem"))
    assert "mqtts://" in error.value.hint


def test_certificate_files_that_cannot_be(tmp_path: Path) -> None:
    pems = make_certificates(tmp_path)
    good = {"ca_file": str(pems.ca), "cert_file": str(pems.client), "key_file": str(pems.client_key)}
    assert credentials("mqtts://h", **good).tls is not None
    garbage = tmp_path / "garbage.pem"
    garbage.write_text("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
    locked = tmp_path / "locked.key"
    subprocess.run(
        ["openssl", "ec", "-in", pems.client_key, "-aes256", "-passout", "pass:x", "-out", locked],
        check=True, capture_output=True,
    )  # fmt: skip
    for bad, what in [
        ({"ca_file": str(tmp_path / "missing.pem")}, "CA file"),
        ({"ca_file": str(garbage)}, "CA file"),
        ({"ca_file": str(tmp_path)}, "CA file"),
        ({"cert_file": str(garbage)}, "client certificate"),
        ({"key_file": str(tmp_path / "missing.key")}, "client certificate"),
        ({"key_file": str(pems.server_key)}, "client certificate"),  # of another certificate
        ({"key_file": str(locked)}, "client certificate"),  # nobody is there to type a passphrase
        ({"cert_file": None}, "key_file is set"),
    ]:
        with pytest.raises(SinkError, match=what) as error:
            credentials("mqtts://h", **{**good, **bad})
        assert error.value.hint
