"""Explains what is wrong with a request: the error word of the response, and a sentence for people."""

from __future__ import annotations

import re

import msgspec

MISSING = re.compile(r"Object missing required field `([a-z_]{1,32})`")
"""What msgspec says; the names are those of our own types."""
DETAIL_LIMIT = 200
"""Characters of the sentence: it may repeat what was asked."""


def explain(error: msgspec.MsgspecError, where: str = "") -> tuple[str, str]:
    """(error word, sentence) for what msgspec or Python says of a request, or of its field ``where``."""
    text = str(error)
    missing = MISSING.match(text)
    if missing is not None:
        name = missing.group(1)
        return f"missing_{name}", f"`{name}` is missing" + (f" in `{where}`" if where else "")
    if isinstance(error, msgspec.ValidationError) or getattr(error, "mismatch", False):
        return "invalid", (text[:1].lower() + text[1:] + (f", in `{where}`" if where else ""))[:DETAIL_LIMIT]
    return "invalid", "the request is not a JSON object in UTF-8"
