"""The page for other machines: token and TLS by the files that ``edge-cli view init`` makes."""

from __future__ import annotations

import http.client
import socket
import ssl
import stat
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

pytest.importorskip("starlette", reason="the extra viewer is not installed")

from viewer_rig import LIMIT_S, ViewerRig, wait_for

from edge.config.load import load_settings
from edge.config.view_settings import ViewSettings

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytest.importorskip("cryptography", reason="the extra signed is not installed")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the command has put its files, and the configuration that it prints."""
    place = tmp_path_factory.mktemp("view")
    command = [sys.executable, "-m", "edge.cli.main", "view", "init", str(place / "made"), "--name", "127.0.0.1"]
    told = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT_S, check=True).stdout
    (place / "edge.toml").write_text(told[told.index("[view]") : told.index("Open https")])
    again = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT_S, check=False)
    assert again.returncode == 2
    assert "--force" in again.stderr
    return place


@pytest.fixture(scope="module")
def rig(folder: Path) -> Iterator[ViewerRig]:
    view = load_settings(folder / "edge.toml").view
    assert view.enabled
    made = ViewerRig(
        view=ViewSettings(
            enabled=True, port=0, token_file=view.token_file, cert_file=view.cert_file, key_file=view.key_file
        )
    )
    yield made
    made.close()


def test_the_files_are_ours_alone(folder: Path) -> None:
    for file in (folder / "made").iterdir():
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert len((folder / "made" / "token").read_text().strip()) >= 16


def test_the_page_comes_by_tls_and_its_cookie_by_tls_alone(rig: ViewerRig, folder: Path) -> None:
    context = ssl.create_default_context(cafile=str(folder / "made" / "cert.pem"))
    connection = http.client.HTTPSConnection("127.0.0.1", rig.port, context=context, timeout=LIMIT_S)
    connection.request("GET", "/")
    answer = connection.getresponse()
    assert (answer.status, b"page.js" in answer.read()) == (200, True)
    token = (folder / "made" / "token").read_text().strip()
    headers = {"Origin": f"https://127.0.0.1:{rig.port}"}
    connection.request("POST", "/login", f'{{"token": "{token}"}}', headers)
    answer = connection.getresponse()
    answer.read()
    assert "secure" in answer.headers["Set-Cookie"].lower()
    connection.request("POST", "/login", f'{{"token": "{token}"}}', {"Origin": f"http://127.0.0.1:{rig.port}"})
    assert connection.getresponse().status == 403
    connection.close()


def test_who_shakes_no_hands_is_closed(rig: ViewerRig) -> None:
    with socket.create_connection(("127.0.0.1", rig.port), timeout=LIMIT_S) as silent:
        assert wait_for(lambda: silent.recv(1) == b"", "the end of a connection without a handshake")
