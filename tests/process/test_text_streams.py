"""Texts for any encoding: alike in ASCII where they can be, escaped where not."""

from __future__ import annotations

import io
import json

import pytest

from edge.process import text_streams
from edge.process.text_streams import ERRORS, ascii_json, set_up_text_streams, takes_unicode

set_up_text_streams()


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("scheme://…", "scheme://..."),
        ("71 °C ± 2 → 3 µs × 4", "71  deg C +- 2 -> 3 us x 4"),
        ("ünö.png", "\\u00fcn\\u00f6.png"),
        ("\U0001f600", "\\ud83d\\ude00"),
        ("\udcff", "\\udcff"),
    ],
)
def test_what_an_encoding_lacks_is_replaced(text: str, plain: str) -> None:
    assert text.encode("ascii", ERRORS) == plain.encode()


def test_what_it_has_stays() -> None:
    assert "ünö °".encode("latin-1", ERRORS).decode("latin-1") == "ünö °"
    assert "a\udcffb".encode("utf-8", ERRORS) == b"a\\udcffb"


@pytest.mark.parametrize("text", ['…ünö\U0001f600\n"\\', "", "plain"])
def test_json_stays_the_same_json(text: str) -> None:
    line = json.dumps({"a": text}, ensure_ascii=False)
    assert ascii_json(line).isascii()
    assert json.loads(ascii_json(line)) == {"a": text}


@pytest.mark.parametrize(("encoding", "takes"), [("utf-8", True), ("UTF8", True), ("utf-16", True), ("ascii", False),
                                                  ("latin-1", False), (None, False), ("nosuch", False)])  # fmt: skip
def test_which_streams_take_all(encoding: str | None, takes: bool) -> None:
    class Stream:
        pass

    stream = Stream()
    stream.encoding = encoding  # type: ignore[attr-defined]
    assert takes_unicode(stream) is takes


def test_streams_that_are_not_there_or_no_files_are_no_obstacle(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(text_streams.sys, "stdin", None)
    monkeypatch.setattr(text_streams.sys, "stdout", None)
    monkeypatch.setattr(text_streams.sys, "stderr", io.StringIO())
    set_up_text_streams()
    text_streams.sys.stdout.write("ünö")
    assert text_streams.sys.stdin.read() == ""
    text_streams.sys.stdin.close()
    text_streams.sys.stdout.close()
