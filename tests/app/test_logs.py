"""Logs on stderr: as text, as JSON, never with a password."""

from __future__ import annotations

import json
import logging
import re
import warnings
from typing import TYPE_CHECKING

import pytest

from edge.app.logs import set_up_logs
from edge.config.settings import LogSettings

if TYPE_CHECKING:
    from collections.abc import Iterator

log = logging.getLogger("edge.somewhere")


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level, raising = root.handlers[:], root.level, logging.raiseExceptions
    yield
    logging.captureWarnings(False)
    root.handlers[:], logging.raiseExceptions = handlers, raising
    root.setLevel(level)


def test_text_is_one_line_a_record_on_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    set_up_logs(LogSettings())
    log.info("from %s", "mqtt://me:hunter2@h")
    log.warning("file a\nERROR forged\x1b[31m")
    out, err = capsys.readouterr()
    assert out == ""
    first, second = err.splitlines()
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z info edge\.somewhere: from mqtt://me:\*\*\*@h", first)
    assert second.endswith(r"warning edge.somewhere: file a\nERROR forged\x1b[31m")


@pytest.mark.parametrize(("level", "shown"), [("debug", "diwe"), ("info", "iwe"), ("warning", "we"), ("error", "e")])
def test_the_level_is_the_least_that_is_shown(level: str, shown: str, capsys: pytest.CaptureFixture[str]) -> None:
    set_up_logs(LogSettings(level=level))  # type: ignore[arg-type]
    for say in (log.debug, log.info, log.warning, log.error):
        say("x")
    assert "".join(line.split()[1][0] for line in capsys.readouterr().err.splitlines()) == shown


def test_json_is_one_object_a_line_with_the_traceback_in_it(capsys: pytest.CaptureFixture[str]) -> None:
    set_up_logs(LogSettings(format="json"))
    log.info("path %s of rtsp://a:hunter2@h", "\udcff")
    try:
        raise ValueError("mqtt://me:hunter2@h")
    except ValueError:
        log.exception("it broke")
    err = capsys.readouterr().err
    assert "hunter2" not in err
    first, second = (json.loads(line) for line in err.splitlines())
    assert first["message"] == "path \\udcff of rtsp://a:***@h"
    assert (first["level"], first["logger"]) == ("info", "edge.somewhere")
    assert set(first) == {"at", "level", "logger", "process", "message"}
    assert "ValueError: mqtt://me:***@h" in second["traceback"]


def test_the_last_call_holds_and_warnings_are_logs(capsys: pytest.CaptureFixture[str]) -> None:
    set_up_logs(LogSettings(format="json"))
    set_up_logs(LogSettings())
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        set_up_logs(LogSettings())
        logging.captureWarnings(False)
        logging.captureWarnings(True)
        warnings.warn("careful", UserWarning, stacklevel=1)
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert "warning py.warnings:" in err
    assert "careful" in err


def test_a_closed_stderr_is_no_error(capsys: pytest.CaptureFixture[str]) -> None:
    import io

    set_up_logs(LogSettings())
    handler = logging.getLogger().handlers[0]
    assert isinstance(handler, logging.StreamHandler)
    closed = io.StringIO()
    closed.close()
    handler.setStream(closed)
    log.error("to nowhere")
    assert capsys.readouterr().err == ""
