"""Opening a ZIP of a stranger: its directory is bounded before a reader makes an object of each entry that it lists."""

from __future__ import annotations

import io
import struct
import zipfile

from edge.contracts.errors import ModelError

END = struct.Struct("<4s4H2LH")
"""End of central directory: signature, disk, disk of the directory, entries here, entries, size, offset, comment."""
LOCATOR = 20
"""Bytes of the ZIP64 locator, which stands before the end and leads to other numbers."""
ENTRY = 1024
"""Most bytes of an entry in the directory: 46, its name, and what tools add."""
HINT = "copy the file again, or export it anew"


def open_zip(data: bytes, most: int, name: str) -> zipfile.ZipFile:
    """Open a ZIP in memory that lists at most ``most`` members, stored or deflated, without ZIP64 and comment.

    Members that share bytes are refused: a small file could be unpacked without end. ``name`` is for messages.

    Raises `ModelError`, and whatever `zipfile` raises for damaged input.
    """
    _check_end(data, most, name)
    archive = zipfile.ZipFile(io.BytesIO(data))
    infos = archive.infolist()
    if len(infos) > most:
        raise ModelError(f"{name} lists {len(infos)} members, expected at most {most}", hint=HINT)
    if sum(info.compress_size for info in infos) > len(data):
        raise ModelError(f"{name} is damaged: its members share bytes", hint=HINT)
    for info in infos:
        if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):  # others unpack without a limit
            raise ModelError(f"{name}: {info.filename[:64]!r} is packed in a way that is not known here", hint=HINT)
    return archive


def _check_end(data: bytes, most: int, name: str) -> None:
    if len(data) < END.size:
        raise ModelError(f"{name} is damaged: it has no end", hint=HINT)
    signature, _, _, _, entries, size, _, comment = END.unpack_from(data, len(data) - END.size)
    if signature != b"PK\x05\x06" or comment:
        raise ModelError(f"{name} is damaged: it does not end as a ZIP", hint=HINT)
    if data[-END.size - LOCATOR :][:4] == b"PK\x06\x07":
        raise ModelError(f"{name} is a ZIP of the 64-bit kind, which no bundle needs", hint=HINT)
    if entries > most or size > most * ENTRY:
        raise ModelError(f"{name} lists {entries} members in {size} bytes, expected at most {most}", hint=HINT)
