"""Which body parts contradict each other, and which spellings mean the same."""

from __future__ import annotations

from edge.postprocess.body_part import contradicts, names_the_same


def test_synonyms_hold_within_one_organ_only():
    assert contradicts("BREAST", "THYROID")
    assert not contradicts("thyroid gland", "THYROID")
    assert contradicts("LIVER", "HEART")
    assert not contradicts("liver", "LIVER")


def test_naming_the_same_is_more_than_not_contradicting():
    assert names_the_same("mamma", "BREAST")
    assert names_the_same("liver", "LIVER")
    assert not names_the_same("CHEST", "BREAST")
    for nothing in (None, "", " ", "unknown", "N/A", "NONE"):
        assert not contradicts(nothing, "BREAST")
        assert not names_the_same(nothing, "BREAST")
        assert not names_the_same(nothing, nothing or "")
