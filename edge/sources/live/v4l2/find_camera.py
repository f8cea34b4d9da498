"""Finds the node of a camera by its number, by its path, or by its name, which outlives being plugged in anew."""

from __future__ import annotations

import os
import re
from pathlib import Path

from edge.contracts.errors import SourceError, SourceSetupError

LINKS = ("dev/v4l/by-id", "dev/v4l/by-path")
"""Folders in which udev keeps a lasting name for each node."""
LIST_HINT = "edge-cli doctor lists the cameras of this machine"


def find_camera(wanted: str, root: Path = Path("/")) -> str:
    """Path of the node for what stands behind ``camera://``: ``0``, ``/dev/video0``, a link to it, or a name.

    A name is that of a link below /dev/v4l, or what the camera calls itself; a part of either does, if no other
    camera has it. It is looked for anew each time: a camera that was plugged in again may have another number.

    Raises `SourceError` if there is none, or more than one.
    """
    if re.fullmatch(r"\d{1,3}", wanted):
        wanted = f"/dev/video{int(wanted)}"
    if wanted.startswith("/"):
        return _existing(wanted, root)
    found = _by_name(wanted.casefold(), root)
    if not found:
        raise _absent(f"no camera is called {wanted!r}")
    if len(found) > 1:
        nodes = ", ".join(found)
        raise SourceSetupError(
            f"{len(found)} cameras answer to {wanted!r}: {nodes}",
            hint="name one by its link in /dev/v4l/by-path, or by its number",
        )
    return found[0]


def names_of(node: str, root: Path = Path("/")) -> tuple[str, ...]:
    """Names of a node: what the camera calls itself, then those of its lasting links."""
    links = [link.name for link in _links(root) if _target(link, root) == node]
    return (_card(Path(node).name, root), *links)


def _existing(path: str, root: Path) -> str:
    there = root / path.lstrip("/")
    if not there.exists():
        raise _absent(f"there is no {path}")
    return _target(there, root)


def _by_name(wanted: str, root: Path) -> list[str]:
    """Nodes that answer to a name, those that have it exactly before those that have it as a part."""
    nodes = [f"/dev/{path.name}" for path in sorted(root.glob("dev/video*")) if _gives_pictures(path.name, root)]
    named = {node: [name.casefold() for name in names_of(node, root)] for node in nodes}
    whole = [node for node, names in named.items() if wanted in names]
    return whole or [node for node, names in named.items() if any(wanted in name for name in names)]


def _links(root: Path) -> list[Path]:
    return [link for folder in LINKS for link in sorted(root.glob(f"{folder}/*"))]


def _target(path: Path, root: Path) -> str:
    """Where a node or a link to it leads, as a path below ``root``."""
    real = Path(os.path.realpath(path))
    top = Path(os.path.realpath(root))
    return f"/{real.relative_to(top)}" if real.is_relative_to(top) else str(real)


def _card(name: str, root: Path) -> str:
    return _text(root / "sys/class/video4linux" / name / "name")


def _gives_pictures(name: str, root: Path) -> bool:
    """Other nodes of a camera (descriptions of frames) have an index above 0."""
    return _text(root / "sys/class/video4linux" / name / "index") in ("", "0")


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip("\0\n ")
    except OSError:
        return ""


def _absent(message: str) -> SourceError:
    return SourceError(message, hint=f"is it plugged in? {LIST_HINT}", reason="source_lost")
