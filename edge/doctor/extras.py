"""Checks which optional libraries are installed: what lacks without them, and the command that installs them."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING

from edge.doctor.check import absent, ok
from edge.process.install import install_command

if TYPE_CHECKING:
    from collections.abc import Iterator

    from edge.doctor.check import Check

GROUP = "machine"
EXTRAS = (
    ("dicom", ("jpeg_ls", "pylibjpeg", "openjpeg"), "JPEG-LS and JPEG 2000 beyond 8 bits in DICOM"),
    ("live", ("av",), "network streams with small delays and clear errors; OpenCV's FFmpeg reads them without"),
    ("signed", ("cryptography",), "signatures of models"),
    ("viewer", ("starlette", "uvicorn", "websockets"), "the page that shows what is found (--view)"),
    ("fleet", ("rich",), "the live table of fleet watch"),
)
"""(extra, modules that it brings, what they are for)."""


def check_extras() -> Iterator[Check]:
    """Check each extra: whether the modules that it brings are there; they are not loaded."""
    for extra, modules, purpose in EXTRAS:
        missing = [module for module in modules if not _is_there(module)]
        if missing:
            text = f"not here: {purpose} ({', '.join(missing)} missing)"
            yield absent(GROUP, f"extra {extra}", text, install_command(extra))
        else:
            yield ok(GROUP, f"extra {extra}", purpose)


def _is_there(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except (ImportError, ValueError):  # a finder that refuses it, or a module that is half there
        return False
