"""Logs to stderr, as text for people or as one JSON object a line; passwords in URIs are masked in both."""

from __future__ import annotations

import logging
import sys
from datetime import datetime, timezone
from typing import TYPE_CHECKING

import msgspec

from edge.config.password_mask import mask_passwords
from edge.process.text_streams import set_up_text_streams

if TYPE_CHECKING:
    from edge.config.settings import LogSettings


def set_up_logs(settings: LogSettings) -> None:
    """Send this process's logs, and Python's warnings, to stderr. May be called again; the last call holds."""
    set_up_text_streams()
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter() if settings.format == "json" else TextFormatter())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(settings.level.upper())
    logging.captureWarnings(True)
    logging.raiseExceptions = False  # a log that cannot be written must not become an error of its own


class TextFormatter(logging.Formatter):
    """Text log lines: ``2030-01-31T12:30:01.250Z warning edge.sinks.mqtt.sink: text``, UTC; then the traceback."""

    def format(self, record: logging.LogRecord) -> str:
        """Format one record as text, passwords masked."""
        at = _time(record).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3]
        text = f"{at}Z {record.levelname.lower()} {record.name}: {_one_line(record.getMessage())}"
        if record.exc_info:
            text += "\n" + self.formatException(record.exc_info)
        return mask_passwords(text)


class JsonFormatter(logging.Formatter):
    """JSON log lines: ``{"at", "level", "logger", "process", "message"}``, and ``"traceback"`` where there is one."""

    def format(self, record: logging.LogRecord) -> str:
        """Format one record as a JSON object on one line, passwords masked."""
        item = {
            "at": _time(record).strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "process": record.process,
            "message": mask_passwords(record.getMessage()),
        }
        if record.exc_info:
            item["traceback"] = mask_passwords(self.formatException(record.exc_info))
        # Undecodable bytes in file names come as lone surrogates, which JSON cannot hold.
        plain = {k: _utf8(v) if isinstance(v, str) else v for k, v in item.items()}
        return msgspec.json.encode(plain).decode()


def _time(record: logging.LogRecord) -> datetime:
    return datetime.fromtimestamp(record.created, timezone.utc)


def _one_line(text: str) -> str:
    """``text`` with line breaks and control characters escaped: it may hold what a file or a network said."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def _utf8(text: str) -> str:
    return text.encode("utf-8", "backslashreplace").decode()
