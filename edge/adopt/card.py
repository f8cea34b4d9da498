"""Model card of an adopted model: what is known of it, and that the rest is not."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge.contracts.manifest import AreaRules, LabelRules

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edge.contracts.manifest import PictureManifest, ScoreRules


def not_known() -> list[str]:
    """What nobody has shown of an adopted model, a line each."""
    return [
        "nothing is known of its training data: on whom, with which scanners, under which licence",
        "its figures on pictures from this device's scanner: none were measured when it was adopted",
    ]


def adopted_card(manifest: PictureManifest, settled: Sequence[str], graph_bytes: int) -> str:
    """MODEL_CARD.md of an adopted model. ``settled``: how what its file left open was settled, a line each."""
    rules, names = manifest.rules, manifest.label_names
    if isinstance(rules, AreaRules) and rules.exclusive:
        names = names[1:]  # the background is never an area
    each = [f"- {name}: from {rules.threshold_of(name):g}" for name in names[:100]]
    more = [f"- and {len(names) - 100} more: from {rules.threshold:g}"] if len(names) > 100 else []
    return "\n".join(
        [
            f"# {manifest.name} {manifest.version}",
            "",
            "Research use only, not a medical device. This model was made elsewhere and adopted: its file was given a",
            "recipe, labels, thresholds and golden vectors. Its weights were not changed.",
            "",
            f"- task: {manifest.task}; body part: {manifest.body_part or 'any'}",
            f"- licence: {manifest.licence or 'not stated'}",
            f"- size: {graph_bytes:,} bytes",
            *(f"- {' '.join(line.split())}" for line in settled),
            "",
            "## Labels, and the score from which each is given"
            + (", place by place" if isinstance(rules, AreaRules) else ""),
            "",
            *each,
            *more,
            "",
            f"{rules.method[:1].upper()}{rules.method[1:]}. Under it a frame is `abstained: too_uncertain`.",
            *_what_is_clear(rules),
            "",
            "## What refuses other pictures",
            "",
            "Nothing but the pixel rules: it has no anatomy gate. Whatever is in the picture may get its labels, and",
            "each message says `gate: none`.",
            "",
            "## Not shown",
            "",
            *(f"- {line}" for line in manifest.not_shown),
            "",
        ]
    )


def _what_is_clear(rules: ScoreRules) -> list[str]:
    if isinstance(rules, AreaRules):
        clear = "a frame in which no place is over its threshold" if rules.empty_is_clear else "no frame ever is"
        return [f"Pieces under {rules.min_area:.2%} of the input are left out. Clear: {clear}."]
    label = rules.clear_label if isinstance(rules, LabelRules) else None
    return [f"Clear: {label or 'no label means that nothing was found'}."]
