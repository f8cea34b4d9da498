"""Every data element that is read from a file is used for something."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import edge.dicom
from edge.dicom.header import KEYWORDS

BY_PYDICOM = {f"Segmented{colour}PaletteColorLookupTableData": "apply_color_lut" for colour in ("Red", "Green", "Blue")}
"""Elements that a function of pydicom reads for us, which must then be called."""


def names_in_code() -> set[str]:
    """What code under edge/dicom names: strings, attributes, and strings with a part left open, as ``.*``."""
    found: set[str] = set()
    for path in Path(edge.dicom.__file__).parent.glob("*.py"):
        tree = ast.parse(path.read_text("utf-8"))
        for node in ast.walk(tree):
            if isinstance(node, ast.Assign) and any(getattr(each, "id", "") == "KEYWORDS" for each in node.targets):
                node.value = ast.Constant(None)  # the list itself is no reader
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                found.add(re.escape(node.value))
            elif isinstance(node, ast.Attribute):
                found.add(node.attr)
            elif isinstance(node, ast.Name):
                found.add(node.id)
            elif isinstance(node, ast.JoinedStr):
                parts = (
                    re.escape(part.value) if isinstance(part, ast.Constant) else "[A-Z][a-z]*" for part in node.values
                )
                found.add("".join(parts))
    return found


def test_every_listed_keyword_has_a_reader() -> None:
    named = names_in_code()
    # An f-string also adds its constant parts by themselves; only whole keywords count.
    unread = [keyword for keyword in KEYWORDS if not any(re.fullmatch(name, keyword) for name in named)]
    assert set(unread) <= set(BY_PYDICOM), "remove them from KEYWORDS, or use them"
    assert set(BY_PYDICOM.values()) <= named


def test_the_test_notices_one_without() -> None:
    assert not any(re.fullmatch(name, "ExtendedOffsetTableLengths") for name in names_in_code())
