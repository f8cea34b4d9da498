"""Who is answered: foreign names, pages and browsers are refused, floods and slow ones cost others nothing."""

from __future__ import annotations

import http.client
import json
import socket
import time
from typing import TYPE_CHECKING

import pytest

pytest.importorskip("starlette", reason="the extra viewer is not installed")

from viewer_page import ViewerPage
from viewer_rig import LIMIT_S, ViewerRig, wait_for
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from edge.viewer.limits import REQUEST_S

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def get(
    rig: ViewerRig, path: str = "/", method: str = "GET", body: bytes | None = None, **headers: str
) -> http.client.HTTPResponse:
    connection = http.client.HTTPConnection("127.0.0.1", rig.port, timeout=LIMIT_S)
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    connection.request(method, path, body, named)
    answer = connection.getresponse()
    answer.body = answer.read()  # type: ignore[attr-defined]
    connection.close()
    return answer


def test_the_page_and_all_its_files_come_with_the_policy(rig: ViewerRig) -> None:
    total = 0
    for path in ("/", "/page.js", "/style.css", "/texts.json", "/icon.svg"):
        answer = get(rig, path)
        assert answer.status == 200
        assert "default-src 'self'" in answer.headers["Content-Security-Policy"]
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        total += len(answer.body)  # type: ignore[attr-defined]
    assert total < 150_000


@pytest.mark.parametrize("host", ["evil.example", "evil.example:80", "127.0.0.1.evil.example", "192.0.2.7", ""])
def test_a_foreign_name_is_refused(rig: ViewerRig, host: str) -> None:
    """DNS rebinding: a page's own name, made to point here."""
    assert get(rig, "/", Host=host).status in (400, 421)
    assert get(rig, "/texts.json", Host=host).status in (400, 421)


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1:1", "[::1]:8321"])
def test_our_own_names_are_answered(rig: ViewerRig, host: str) -> None:
    assert get(rig, "/", Host=host).status == 200


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "https://127.0.0.1", None])
def test_a_foreign_page_gets_no_pictures(rig: ViewerRig, origin: str | None) -> None:
    with pytest.raises(InvalidStatus), connect(f"ws://127.0.0.1:{rig.port}/live", origin=origin):  # type: ignore[arg-type]
        pass
    assert get(rig, "/texts.json", Sec_Fetch_Site="cross-site").status == 403


def test_nothing_changes_by_get_and_unknown_paths_are_none(rig: ViewerRig) -> None:
    assert get(rig, "/report.png?stream=cart&seq=99999999").status == 404
    assert get(rig, "/report.png?stream=../x&seq=-1").status == 404
    assert get(rig, "/../pyproject.toml").status == 404
    assert get(rig, "/live").status in (400, 404, 405, 426)
    assert get(rig, "/login", "POST", b"{}").status == 403  # without an origin
    assert get(rig, "/", "POST", b"").status in (403, 405)


def test_a_giant_or_senseless_message_ends_the_connection_alone(rig: ViewerRig, page: ViewerPage) -> None:
    for text in ("x" * 1_000_000, "no json", json.dumps({"want": "shell"}), json.dumps({"want": "live", "more": 1})):
        with connect(f"ws://127.0.0.1:{rig.port}/live", origin=rig.address.rstrip("/")) as socket_:  # type: ignore[arg-type]
            socket_.send(text)
            with pytest.raises(ConnectionClosed):
                socket_.recv(LIMIT_S)
    assert page.live()[0]["device"]["name"] == "cart-7"


@pytest.mark.slow
def test_slow_and_many_connections_shut_nobody_out(rig: ViewerRig, page: ViewerPage) -> None:
    before, began = rig.child.child, time.monotonic()
    slow = []
    for _ in range(1000):
        one = socket.socket()
        one.settimeout(LIMIT_S)
        try:
            one.connect(("127.0.0.1", rig.port))
            one.send(b"GET / HTTP/1.1\r\nHost: local")
        except OSError:
            pass
        slow.append(one)
        if len(slow) % 200 == 0:
            assert page.live()[0]["device"]["name"] == "cart-7"  # who watches goes on watching
    wait_for(lambda: answered(rig), "an answer while a thousand connections were slow")
    while time.monotonic() - began < REQUEST_S + 0.3:  # who watches has made a request, and is not cut off by the limit
        page.live(after=page.live()[0]["stream"]["number"])
    for one in slow:
        one.close()
    assert rig.child.child is before


def answered(rig: ViewerRig) -> bool:
    try:
        return get(rig).status == 200
    except (OSError, http.client.HTTPException):
        time.sleep(0.1)
        return False


@pytest.fixture
def with_token(tmp_path: Path) -> Iterator[ViewerRig]:
    from edge.config.view_settings import ViewSettings

    (tmp_path / "token").write_text("a-long-token-of-this-device\n")
    made = ViewerRig(view=ViewSettings(enabled=True, port=0, token_file=str(tmp_path / "token")))
    yield made
    made.close()


def test_with_a_token_nothing_of_a_patient_is_given_before_it_was_shown(with_token: ViewerRig) -> None:
    rig, origin = with_token, with_token.address.rstrip("/")
    assert get(rig).status == 200
    assert get(rig, "/report.json?stream=cart&seq=1").status == 401
    with pytest.raises(InvalidStatus), connect(f"ws://127.0.0.1:{rig.port}/live", origin=origin):  # type: ignore[arg-type]
        pass
    wrong = get(rig, "/login", "POST", b'{"token": "wrong"}', Origin=origin)
    assert wrong.status == 403
    assert "Set-Cookie" not in wrong.headers
    right = get(rig, "/login", "POST", b'{"token": "a-long-token-of-this-device"}', Origin=origin)
    cookie = right.headers["Set-Cookie"]
    assert "HttpOnly" in cookie
    assert "samesite=strict" in cookie.lower()
    headers = {"Cookie": cookie.split(";")[0]}
    with connect(f"ws://127.0.0.1:{rig.port}/live", origin=origin, additional_headers=headers, max_size=None) as found:  # type: ignore[arg-type]
        assert ViewerPage(found).live()[0]["device"]["name"] == "cart-7"
    for _ in range(10):
        get(rig, "/login", "POST", b'{"token": "wrong"}', Origin=origin)
    guessed = get(rig, "/login", "POST", b'{"token": "a-long-token-of-this-device"}', Origin=origin)
    assert guessed.status == 403  # not even the right one, for a while
    assert get(rig, "/login", "POST", b"x" * 5000, Origin=origin).status == 400
