"""Names and passwords of network streams: they open the stream, and stand nowhere else."""

from __future__ import annotations

import hashlib
import importlib.util
import logging
import re
import shutil
import ssl
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from brokers import make_certificates
from live_reading import STREAM, event, frames, make, opened, read_until
from live_servers import Connection, http_camera, steady

from edge.config.consistency import find_warnings
from edge.config.effective_settings import redacted_settings
from edge.config.password_mask import mask_passwords
from edge.config.settings import Settings, StreamSettings
from edge.config.uri import parse_uri
from edge.contracts.errors import SourceError
from edge.sources.live.http_connection import _authorization, _origin
from edge.sources.live.http_mjpeg import HttpSource
from edge.sources.live.network import RtspSource
from edge.sources.live.network_url import with_credentials
from edge.sources.live.options import live_options, location
from edge.sources.live.reader import LiveOptions

if TYPE_CHECKING:
    from collections.abc import Callable

needs_openssl = pytest.mark.skipif(shutil.which("openssl") is None, reason="no openssl on PATH")


class RtspByOpencv(RtspSource):
    reader = "edge.sources.live.opencv_reader:OpencvReader"


RTSP = [RtspByOpencv, *([RtspSource] if importlib.util.find_spec("av") else [])]
USER, PASSWORD = "viewer", "p@ss/w:rd%"
IN_URI = "viewer:p%40ss%2Fw%3Ard%25@"


def basic(connection: Connection) -> None:
    import base64

    expected = "Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
    if connection.headers.get("Authorization") == expected:
        steady(connection)
    else:
        connection.head(401, WWW_Authenticate='Basic realm="camera"')


def digest(connection: Connection) -> None:
    given = dict(re.findall(r'(\w+)="?([^",]+)"?', connection.headers.get("Authorization", "")))

    def md5(*parts: str) -> str:
        return hashlib.md5(":".join(parts).encode()).hexdigest()  # noqa: S324  (RFC 2617)

    if given:
        secret, asked = md5(USER, "camera", PASSWORD), md5("GET", given["uri"])
        expected = md5(secret, "n0nce", given["nc"], given["cnonce"], "auth", asked)
        if given["response"] == expected:
            steady(connection)
            return
    connection.head(401, WWW_Authenticate='Digest realm="camera", nonce="n0nce", qop="auth", algorithm=MD5')


@pytest.mark.parametrize("algorithm", ["MD5", "SHA-256"])
@pytest.mark.parametrize(("username", "password"), [("viewer", "pässwörd"), ("müller", "geheim"), ("łukasz", "日本")])
def test_digest_takes_all_letters_and_the_hashes_of_todays_cameras(
    algorithm: str, username: str, password: str
) -> None:
    def hashed(*parts: str) -> str:
        return hashlib.new(algorithm.replace("-", ""), ":".join(parts).encode()).hexdigest()

    challenge = f'Digest realm="camera", nonce="n0nce", qop="auth-int, auth", algorithm={algorithm}'
    given = _authorization("http://camera/live?a=1", [challenge], username, password).encode("latin-1").decode()
    fields = dict(re.findall(r'(\w+)="?([^",]+)"?', given))
    secret, asked = hashed(username, "camera", password), hashed("GET", "/live?a=1")
    assert fields["username"] == username
    assert fields["response"] == hashed(secret, "n0nce", fields["nc"], fields["cnonce"], "auth", asked)


def test_an_answer_to_no_challenge_that_is_known_is_an_error_that_says_so() -> None:
    for challenge in (
        'Digest realm="a", nonce="b", qop="auth-int"',
        'Digest realm="a", nonce="b", algorithm=X',
        "NTLM",
    ):
        with pytest.raises(SourceError, match="a kind of authentication that is not known here"):
            _authorization("http://camera/", [challenge], "viewer", "geheim")
        assert _authorization("http://camera/", [challenge, 'Basic realm="a"'], "viewer", "geheim").startswith("Basic ")


@pytest.mark.slow
@pytest.mark.parametrize("behave", [basic, digest])
def test_name_and_password_open_the_stream(behave: Callable[[Connection], None], tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text(PASSWORD + "\n")
    with http_camera(behave) as camera:
        with opened(HttpSource, camera.uri, username=USER, password_file=str(secret)) as source:
            read_until(source, frames(1), reopen=False)
        with opened(HttpSource, camera.uri.replace("://", f"://{IN_URI}")) as source:
            read_until(source, frames(1), reopen=False)
        asked = len(camera.requests)
        source = make(HttpSource, camera.uri.replace("://", "://viewer:wrong@"))
        for _ in range(3):
            with pytest.raises(SourceError, match="401") as caught:
                source.open()
        source.close()
        assert "wrong" not in caught.value.message + caught.value.hint
        assert len(camera.requests) == asked + 2, "a camera that refuses us is not asked again and again"


def test_a_password_goes_to_nobody_else_after_a_redirect() -> None:
    with http_camera(lambda connection: connection.head(401, WWW_Authenticate='Basic realm="x"')) as other:

        def behave(connection: Connection) -> None:
            if connection.headers.get("Authorization"):
                connection.head(302, Location=other.uri)
            else:
                connection.head(401, WWW_Authenticate='Basic realm="camera"')

        with http_camera(behave) as camera:
            source = make(HttpSource, camera.uri.replace("://", f"://{IN_URI}"))
            with pytest.raises(SourceError, match="401"):
                source.open()
            source.close()
        assert [given for _, given in other.requests] == [None]


@pytest.mark.slow
@needs_openssl
def test_a_certificate_that_nobody_vouches_for_is_refused_unless_asked(tmp_path: Path) -> None:
    made = make_certificates(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(made.server, made.server_key)
    with http_camera(steady, context) as camera:
        source = make(HttpSource, camera.uri)
        with pytest.raises(SourceError, match="certificate is not trusted") as caught:
            source.open()
        source.close()
        assert "verify=no" in caught.value.hint
        with opened(HttpSource, f"{camera.uri}?verify=no") as source:
            reading = read_until(source, frames(3), reopen=False)
        assert None not in reading.clocks
        for kind in RTSP:
            source = make(kind, camera.uri.replace("https", "rtsps"))
            with pytest.raises(SourceError, match="certificate is not trusted"):
                source.open()
            source.close()


def test_nothing_of_it_is_seen_by_other_users_or_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with http_camera(basic) as camera, opened(HttpSource, camera.uri.replace("://", f"://{IN_URI}")) as source:
        reading = read_until(source, frames(1), reopen=False)
        for name in ("cmdline", "environ"):
            seen = Path(f"/proc/{source.pid}/{name}").read_bytes().decode(errors="replace")
            assert PASSWORD not in seen
            assert IN_URI not in seen
        camera.stopped.set()
        read_until(source, event("lost"), reading, reopen=False)
    said = caplog.text + "".join(one.detail for one in reading.events) + repr(source.info)
    assert PASSWORD not in said
    assert IN_URI not in said
    assert "password_file" in caplog.text, "that it stands in the URI is warned of"


@pytest.mark.parametrize(
    ("source", "ours", "expected"),
    [
        ("rtsp://u:p@host:554/a/b?x=1&delay_ms=2&y=%20", ("delay_ms",), "rtsp://host:554/a/b?x=1&y=%20"),
        ("RTSP://u@host/a%2Fb", (), "rtsp://host/a%2Fb"),
        ("http://[::1]:8080/x?delay_ms=2", ("delay_ms",), "http://[::1]:8080/x"),
        ("http://host/at@sign?mail=a@b", (), "http://host/at@sign?mail=a@b"),
        ("udp://@:5000", (), "udp://:5000"),
        ("rtsp://host?channel=1", (), "rtsp://host?channel=1"),
    ],
)
def test_a_server_is_asked_for_what_was_written(source: str, ours: tuple[str, ...], expected: str) -> None:
    assert location(source, ours) == expected


def test_ffmpeg_gets_name_and_password_as_it_decodes_them() -> None:
    given = LiveOptions(location="rtsp://host/live", username=USER, password=PASSWORD)
    assert with_credentials(given) == f"rtsp://{IN_URI}host/live"
    assert with_credentials(LiveOptions(location="rtsp://host/live")) == "rtsp://host/live"


@pytest.mark.parametrize("content", [None, b"", b"\n", b"\xff\xfe\n"])
def test_a_password_file_that_is_none_is_told(content: bytes | None, tmp_path: Path) -> None:
    path = tmp_path / "secret"
    if content is not None:
        path.write_bytes(content)
    stream = StreamSettings(name=STREAM, source="rtsp://host/x", username="u", password_file=str(path))
    with pytest.raises(SourceError, match="password file") as caught:
        live_options(parse_uri(stream.source), stream)
    assert "first line" in caught.value.hint


def test_settings_of_it_are_checked_and_redacted(tmp_path: Path) -> None:
    streams = [
        StreamSettings(name="a", source="phantom://?seed=1", username="u"),
        StreamSettings(name="b", source="rtsp://host/x", password_file=str(tmp_path / "none")),
        StreamSettings(name="c", source="rtsp://u:secret@host/x"),
    ]
    settings = Settings(streams=streams)
    told = [problem.message for problem in find_warnings(settings)]
    assert any("streams[0].username has no effect" in one for one in told)
    assert any("there is no file" in one for one in told)
    assert any("without a username" in one for one in told)
    assert any("a password stands in the URI" in one for one in told)
    assert not any("secret" in one for one in told)
    shown = redacted_settings(settings)["streams"]
    assert {shown[1]["password_file"], shown[0]["username"]} == {"***"}
    assert shown[2]["source"] == "rtsp://host"


@pytest.mark.parametrize(
    "name", ["password", "passwd", "pwd", "pass", "token", "apikey", "auth", "loginpas", "user_pwd"]
)
def test_passwords_among_parameters_are_masked(name: str) -> None:
    assert "geheim" not in mask_passwords(f"http://host/x?user=me&{name}=geheim&z=1")


def test_the_usual_port_is_the_same_server_whether_it_is_written_or_not() -> None:
    assert _origin("http://camera/a") == _origin("http://CAMERA:80/b") != _origin("http://camera:8080/a")
    assert _origin("https://camera/a") == _origin("https://camera:443/") != _origin("http://camera:443/")
