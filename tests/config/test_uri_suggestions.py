"""What is no URI of anything installed gets the one that was probably meant."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from edge.config.file_kinds import guess_scheme
from edge.config.load import load_settings, streams_from_sources
from edge.config.uri import parse_uri, what_it_is
from edge.config.uri_suggestions import plain_source, suggestion
from edge.contracts.errors import UsageError
from edge.plugins import require, unknown_scheme_hint

if TYPE_CHECKING:
    from pathlib import Path

PNG = b"\x89PNG\r\n\x1a\n" + bytes(20)


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(
    ("name", "data", "scheme"),
    [
        ("scan.png", b"", "images"),
        ("scan", PNG, "images"),
        ("IM0001", bytes(128) + b"DICM", "dicom"),
        ("a.dcm", PNG, "images"),  # its bytes count more than its name
        ("my clip.MP4", b"", "video"),
        ("x", b"\0\0\0\x18ftypisom", "video"),
        ("big.tif", b"II+\0" + bytes(8), "images"),
    ],
)
def test_a_plain_path_is_told_by_what_the_file_is(tmp_path: Path, name: str, data: bytes, scheme: str) -> None:
    (tmp_path / name).write_bytes(data)
    meant = f"{scheme}://{tmp_path}/{name.replace(' ', '%20')}"
    assert f"did you mean {meant} ?" in suggestion("sources", name)
    assert f"did you mean {meant} ?" in suggestion("sources", f"file://{tmp_path}/{name}")
    for given in (name, f"./{name}", str(tmp_path / name), f"file://{tmp_path}/{name.replace(' ', '%20')}", meant):
        (stream,) = streams_from_sources([given])
        assert (stream.name, stream.source) == (f"{scheme}-1", meant)
    assert parse_uri(meant).file == str(tmp_path / name)


def test_a_plain_path_in_a_file_of_settings_is_a_source_too(tmp_path: Path) -> None:
    (tmp_path / "clips").mkdir()
    (tmp_path / "clips" / "1.mp4").touch()
    for source in ("clips", "clips/1.mp4"):
        (tmp_path / "edge.toml").write_text(f'[[streams]]\nname = "cart"\nsource = "{source}"\n')
        (stream,) = load_settings(tmp_path / "edge.toml", {}).streams
        assert stream.source == f"video://{tmp_path}/{source}"


@pytest.mark.parametrize("text", ["notes.txt", "nothing.png", "empty", "", ".", "-", "rtsp://h/notes.txt"])
def test_a_path_that_tells_nothing_is_left_as_it_is(tmp_path: Path, text: str) -> None:
    (tmp_path / "notes.txt").write_text("no picture")
    (tmp_path / "empty").mkdir()
    assert plain_source(text) == text


def test_a_folder_is_told_by_what_is_in_it(tmp_path: Path) -> None:
    (tmp_path / "study" / "deep").mkdir(parents=True)
    (tmp_path / "study" / ".hidden.png").touch()
    (tmp_path / "study" / "notes.txt").touch()
    assert suggestion("sources", "study") == ""
    (tmp_path / "study" / "deep" / "1.dcm").touch()
    assert f"dicom://{tmp_path}/study " in suggestion("sources", "study/")


def test_a_name_of_other_bytes_and_a_pipe_are_no_obstacle(tmp_path: Path) -> None:
    odd = os.fsdecode(b"b\xff.png")
    assert "b%FF.png" in suggestion("sources", odd)
    assert parse_uri(f"images://{tmp_path}/b%FF.png").file == str(tmp_path / odd)
    os.mkfifo(tmp_path / "pipe")
    assert guess_scheme(tmp_path / "pipe") is None


@pytest.mark.parametrize(
    ("text", "meant"),
    [("0", "camera:///dev/video0"), ("v4l2:///dev/video0", "camera:///dev/video0"), ("webcam://0", "camera://0")],
)
def test_a_camera_by_another_name_is_told_how_it_is_written(text: str, meant: str) -> None:
    assert suggestion("sources", text) == f"did you mean {meant} ?"


@pytest.mark.parametrize("text", ["/dev/video0", "/dev/v4l/by-id/usb-x", "/dev/video0?fps=30"])
def test_the_path_of_a_video_device_is_a_source_as_it_is(text: str) -> None:
    path, _, query = text.partition("?")
    uri = parse_uri(text, "sources")
    assert (uri.scheme, uri.file, uri.params) == ("camera", path, {"fps": "30"} if query else {})
    assert uri == parse_uri(text) == parse_uri(f"camera://{text}")
    assert uri.redacted() == "camera://…"
    (stream,) = streams_from_sources([text])
    assert (stream.name, stream.source) == ("camera-1", text)
    for kind in ("sinks", "runtimes"):
        with pytest.raises(UsageError, match="is not a URI"):
            parse_uri(text, kind)


@pytest.mark.parametrize(
    ("kind", "text", "meant"),
    [
        ("sources", "imags:///x.png", "images:///x.png"),
        ("sources", "mp4:///x.mp4", "video:///x.mp4"),
        ("sources", "dcm:///x", "dicom:///x"),
        ("sources", "PHANTON://?seed=1", "phantom://?seed=1"),
        ("sinks", "localhost", "mqtt://localhost"),
        ("sinks", "broker.local:8883", "mqtts://broker.local:8883"),
        ("sinks", "tcp://h:1883", "mqtt://h:1883"),
        ("sinks", "mqt://h", "mqtt://h"),
        ("sinks", "/x/f.jsonl", "jsonl:///x/f.jsonl"),
        ("runtimes", "litert?threads=2", "litert://?threads=2"),
        ("runtimes", "tflite", "litert://"),
        ("runtimes", "ort://?provider=cpu", "onnx://?provider=cpu"),
    ],
)
def test_other_names_and_slips_of_the_pen(kind: str, text: str, meant: str) -> None:
    assert suggestion(kind, text) == f"did you mean {meant} ?"


@pytest.mark.parametrize("kind", ["sources", "sinks", "runtimes"])
@pytest.mark.parametrize("text", ["user:secret@host", "a b c", "", "\x1b[31m", "@", "mqtt//user:secret@host"])
def test_a_password_is_never_repeated_and_nonsense_gets_the_plain_hint(kind: str, text: str) -> None:
    assert "secret" not in suggestion(kind, text)
    with pytest.raises(UsageError) as caught:
        parse_uri(text, kind)
    assert "secret" not in caught.value.hint + caught.value.message.replace("mqtt//user:secret", "")
    assert "scheme://" in caught.value.hint


@pytest.mark.parametrize(("kind", "uri"), [("sources", "rtmp://h/x"), ("sinks", "kafka://h"), ("runtimes", "coral://")])
def test_an_unknown_scheme_lists_those_there_are(kind: str, uri: str) -> None:
    with pytest.raises(UsageError) as caught:
        require(kind, uri.partition(":")[0], uri)
    assert "there are: " in caught.value.hint


@pytest.mark.parametrize("text", ["nosuch.mp4", "./nosuch", "/nowhere/study", "my scan.png"])
def test_a_missing_path_as_source_is_no_such_file(text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match="there is no file") as caught:
        parse_uri(text, "sources")
    assert "correct the path" in caught.value.hint
    for kind in ("sinks", "runtimes"):
        with pytest.raises(UsageError, match="is not a URI"):
            parse_uri(text, kind)
    assert "no such file" in what_it_is(text, "sources")


@pytest.mark.parametrize("text", ["somewhere", "/dev/media7", "7", "user:secret@nosuch.mp4"])
def test_what_is_no_path_is_not_called_a_missing_file(text: str) -> None:
    with pytest.raises(UsageError, match="is not a URI"):
        parse_uri(text, "sources")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("broker.local", "'broker.local'"),
        ("broker.local:1883", "'broker.local:1883'"),
        ("mqtt+ssl://user:secret@h", "mqtt+ssl://…"),
        ("mqtt://user:secret", "mqtt://… with a host or a port that is not valid"),
        ("user:secret@h", "something else"),
        ("user:secret", "something else"),
        ("user:secret://h", "something else"),
    ],
)
def test_what_was_got_instead_of_a_uri_is_said_without_a_password(text: str, said: str) -> None:
    assert what_it_is(text, "sinks") == said


def test_a_sink_for_tests_is_not_offered() -> None:
    for scheme in ("mqqt", "memroy"):
        hint = unknown_scheme_hint("sinks", f"{scheme}://h")
        assert "memory" not in hint
        assert "mqtt" in hint
