"""Limits of what data elements of a DICOM header may hold: converting countless values or items takes seconds."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydicom.datadict import dictionary_VR, keyword_for_tag
from pydicom.dataelem import RawDataElement

from edge.contracts.errors import SourceError

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

MAX_TEXT = 1 << 14
"""Most bytes of an element of text, or of numbers written as text, but for `LONG`; those used have one or a few."""
LONG = ("FrameTimeVector",)
"""Keywords of elements that have a number, written as text, for each frame."""
MAX_ITEMS = 1000
"""Most items of a sequence, those of sequences in it included; scanners write a region for each part of the screen."""
_TEXT = ("AE", "AS", "CS", "DA", "DS", "DT", "IS", "LO", "LT", "PN", "SH", "ST", "TM", "UC", "UI", "UR", "UT")
_ITEMS = (b"\xfe\xff\x00\xe0", b"\xff\xfe\xe0\x00")
"""Tag of an item in either byte order."""


def check_elements(elements: Dataset) -> None:
    """Raise `SourceError` for an element with too many values or items, before any of them is converted."""
    for tag in list(elements.keys()):
        element = elements.get_item(tag)
        kind = dictionary_VR(tag)
        if not isinstance(element, RawDataElement):  # a sequence without a length, which is read already
            items = len(element.value) if element is not None and kind == "SQ" else 0
        else:
            value = element.value if isinstance(element.value, bytes) else b""
            items = max(value.count(item) for item in _ITEMS) if kind == "SQ" else 0
            if kind in _TEXT and len(value) > MAX_TEXT and keyword_for_tag(tag) not in LONG:
                raise _refusal(f"a text or list of numbers of more than {MAX_TEXT >> 10} kB")
        if items > MAX_ITEMS:
            raise _refusal(f"a sequence of more than {MAX_ITEMS} items")


def _refusal(what: str) -> SourceError:
    return SourceError(f"its header is not one of a picture: it has {what}", hint="export the file again")
