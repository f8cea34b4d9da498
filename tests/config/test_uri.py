"""Parsing of plugin URIs: parts, relative files, and errors that repeat no password."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.config.uri import parse_uri
from edge.contracts.errors import UsageError


def test_the_parts():
    uri = parse_uri("mqtts://joe:se%40cret@broker.local:8883/a%20b?x=1&y=")
    assert (uri.scheme, uri.host, uri.port, uri.path) == ("mqtts", "broker.local", 8883, "/a b")
    assert (uri.username, uri.password, uri.params) == ("joe", "se@cret", {"x": "1", "y": ""})


@pytest.mark.parametrize(
    ("text", "file"), [("images:///a/b", "/a/b"), ("images://a/b", "a/b"), ("video://a#b%3F", "a#b?")]
)
def test_files_may_be_relative_and_hold_any_character(text, file):
    assert parse_uri(text).file == file


@pytest.mark.parametrize("text", ["mqtt://u:secret@h:99999", "u:secret@h", "mqtt:/u:secret@h", "mqtt://u:secret@h:x"])
def test_an_error_does_not_repeat_a_password(text):
    with pytest.raises(UsageError) as caught:
        parse_uri(text)
    assert "secret" not in caught.value.message + caught.value.hint


@pytest.mark.parametrize("text", ["mqtt://u:secret@h:1/p", "images:///home/jane-doe/scan.png", "dicom://jane.dcm"])
def test_redacted_has_no_credentials_and_no_file_names(text):
    shown = parse_uri(text).redacted()
    assert not {"secret", "u:", "jane"} & {word for word in ("secret", "u:", "jane") if word in shown}


@given(st.text())
def test_any_text_is_a_uri_or_a_usage_error(text):
    try:
        uri = parse_uri(text)
    except UsageError:
        return
    assert uri.scheme


@pytest.mark.parametrize(
    ("default", "hint"), [((1920, 1080), "size=1920x1080"), (True, "size=yes"), (False, "size=no"), (0.5, "size=0.5")]
)
def test_an_example_is_written_as_a_uri_wants_it(default, hint):
    def refuse(text):
        raise ValueError

    with pytest.raises(UsageError) as error:
        parse_uri("camera://0?size=x").get("size", refuse, default)
    assert error.value.hint == f"for example {hint}"
