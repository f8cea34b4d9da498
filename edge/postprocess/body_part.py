"""Body parts: whether what DICOM or the configuration says is scanned contradicts the model, or names its own."""

from __future__ import annotations

NOT_SAID = frozenset({"", "UNKNOWN", "UNSPECIFIED", "NONE", "NA", "N/A"})
"""Words that scanners write when no one chose."""
SAME = (
    frozenset({"BREAST", "BREASTS", "MAMMA", "MAMMARY", "LBREAST", "RBREAST", "LEFT BREAST", "RIGHT BREAST"}),
    frozenset({"THYROID", "THYROID GLAND"}),
)
"""Spellings that mean one part. DICOM's defined terms (PS3.16 annex L) come first; scanners write the others too."""


def contradicts(stated: str | None, expected: str) -> bool:
    """Whether ``stated`` names another body part than ``expected``. Saying nothing does not contradict.

    Only spelling is forgiven: CHEST is not BREAST, though the breast lies on it, for a chest examination looks at
    something else.
    """
    stated_word, expected_word = _word(stated or ""), _word(expected)
    if stated_word in NOT_SAID or stated_word == expected_word:
        return False
    return not any(stated_word in group and expected_word in group for group in SAME)


def names_the_same(stated: str | None, expected: str) -> bool:
    """Whether ``stated`` names the body part ``expected``, in any spelling. Saying nothing names none."""
    return _word(stated or "") not in NOT_SAID and not contradicts(stated, expected)


def _word(text: str) -> str:
    return " ".join(text.upper().replace("_", " ").replace("-", " ").split())
