"""Which body parts contradict each other, and which spellings mean the same."""

from __future__ import annotations

from edge.postprocess.body_part import contradicts


def test_synonyms_hold_within_one_organ_only():
    assert contradicts("BREAST", "THYROID")
    assert not contradicts("thyroid gland", "THYROID")
    assert contradicts("LIVER", "HEART")
    assert not contradicts("liver", "LIVER")
