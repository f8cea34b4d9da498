"""Suggests the URI that was meant, for what is no URI of an installed source, runtime or sink."""

from __future__ import annotations

import os
import re
from difflib import get_close_matches
from importlib.metadata import entry_points
from pathlib import Path
from typing import Literal
from urllib.parse import quote, unquote

from edge.config.file_kinds import guess_scheme, scheme_by_name

Kind = Literal["sources", "runtimes", "sinks"]
FILE_KINDS = ("images", "video", "dicom")
CAMERA_SCHEMES = ("camera", "v4l2", "uvc", "webcam", "usb")
NETWORK_SCHEMES = ("rtsp", "rtsps", "rtmp", "http", "https", "srt", "udp", "whip", "rist", "rtp", "mms")
OTHER_NAMES = {
    "sources": {"image": "images", "img": "images", "picture": "images", "pictures": "images", "png": "images",
                "jpg": "images", "jpeg": "images", "mp4": "video", "avi": "video", "clip": "video", "movie": "video",
                "dcm": "dicom", "synthetic": "phantom", "test": "phantom"},
    "runtimes": {"tflite": "litert", "tf": "litert", "tensorflow": "litert", "cpu": "litert", "xnnpack": "litert",
                 "gpu": "litert-gpu", "npu": "litert-npu", "onnxruntime": "onnx", "ort": "onnx"},
    "sinks": {"tcp": "mqtt", "ssl": "mqtts", "tls": "mqtts", "mqtt+ssl": "mqtts", "mqtt+tls": "mqtts",
              "file": "jsonl", "json": "jsonl"},
}  # fmt: skip
"""Names by which other programs call what is called otherwise here."""
FOR_TESTS = {"memory"}
"""Sinks that are no use on a command line: what they take is gone."""
_HOST = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?(?::\d{1,5})?|\[[0-9A-Fa-f:]+\](?::\d{1,5})?")
_DEVICE = re.compile(r"(?:/dev/(?:video|v4l/|media)\S*|\d{1,2})")
_PLAIN = re.compile(r"[^\s@]+")
"""What may be repeated: no blanks, and nothing that could hold a password."""


def suggestion(kind: str, text: str) -> str:
    """Hint for ``text``, which is to name one of ``kind``: what was probably meant; empty if nothing tells."""
    known = sorted({point.name for point in entry_points(group=f"edge.{kind}")} - FOR_TESTS)
    scheme, sep, rest = text.partition("://")
    if not _PLAIN.fullmatch(text) and not os.path.exists(unquote(rest if sep else text)):
        return ""
    scheme = scheme.lower() if sep else ""
    meant = _meant(kind, text, scheme, rest, known)
    if meant:
        return f"did you mean {meant} ?"
    if kind == "sources" and scheme in NETWORK_SCHEMES:
        return "rtsp://, http:// (MJPEG) and udp:// (MPEG-TS) are received: have it sent as one of them"
    return ""


def plain_source(text: str) -> str:
    """URI of the source for the plain path (or ``file://`` URI) of a file or folder that is there; else ``text``."""
    scheme, sep, rest = text.partition("://")
    path = os.path.expanduser(unquote(rest) if sep and scheme.lower() == "file" else text)
    if (sep and scheme.lower() != "file") or "\0" in path or not (os.path.isfile(path) or os.path.isdir(path)):
        return text
    return _source_of(path, list(FILE_KINDS)) or text


def is_host(text: str) -> bool:
    """Whether ``text`` can be a host, with a port or without."""
    return _HOST.fullmatch(text) is not None


def is_missing_file(text: str) -> bool:
    """Whether ``text`` is a plain path, by its slashes or its ending, of a file that is not there."""
    if "://" in text or "\0" in text or not _PLAIN.fullmatch(text.replace(" ", "")) or _DEVICE.fullmatch(text):
        return False
    path = Path(text)
    is_path = "/" in text or scheme_by_name(path) is not None
    return is_path and not os.path.lexists(path) and not os.path.exists(os.path.expanduser(text))


def _meant(kind: str, text: str, scheme: str, rest: str, known: list[str]) -> str:
    """The URI that was probably meant; empty if nothing tells."""
    if kind == "sources":
        if scheme in ("", "file"):
            return _source_of(text if not scheme else unquote(rest), known)
        if scheme in CAMERA_SCHEMES:
            return next((f"{name}://{rest}" for name in CAMERA_SCHEMES if name in known), "")
    elif not scheme:
        return _sink_of(text) if kind == "sinks" else _runtime_of(text, known)
    near = OTHER_NAMES.get(kind, {}).get(scheme) or next(iter(get_close_matches(scheme, known, n=1)), "")
    return f"{near}://{rest}" if near in known else ""


def _source_of(text: str, known: list[str]) -> str:
    """URI of the source for a plain path, or the number or path of a camera."""
    if _DEVICE.fullmatch(text) and not os.path.isfile(text):
        place = text if text.startswith("/") else f"/dev/video{text}"
        return next((f"{name}://{place}" for name in CAMERA_SCHEMES if name in known), "")
    path = Path(text).expanduser()
    scheme = guess_scheme(path)
    return f"{scheme}://{quote(os.fsencode(os.path.abspath(path)))}" if scheme is not None and scheme in known else ""


def _sink_of(text: str) -> str:
    """URI of the sink for a plain path or a host."""
    if text.startswith(("/", "./", "../", "~")) or text.lower().endswith((".jsonl", ".json", ".ndjson")):
        return f"jsonl://{quote(os.fsencode(os.path.abspath(os.path.expanduser(text))))}"
    if not _HOST.fullmatch(text):
        return ""
    return f"mqtts://{text}" if text.endswith(":8883") else f"mqtt://{text}"


def _runtime_of(text: str, known: list[str]) -> str:
    """URI of the runtime that goes by this name."""
    name, _, rest = text.partition("?")
    near = OTHER_NAMES["runtimes"].get(name.lower()) or next(iter(get_close_matches(name.lower(), known, n=1)), "")
    return f"{near}://{'?' * bool(rest)}{rest}" if near in known else ""
