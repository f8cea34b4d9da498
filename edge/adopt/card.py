"""Model card of an adopted model: what is known of it, and that the rest is not."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edge.contracts.manifest import ClassificationManifest


def not_known() -> list[str]:
    """What nobody has shown of an adopted model, a line each."""
    return [
        "nothing is known of its training data: on whom, with which scanners, under which licence",
        "its figures on pictures from this device's scanner: none were measured when it was adopted",
    ]


def adopted_card(manifest: ClassificationManifest, settled: Sequence[str], graph_bytes: int) -> str:
    """MODEL_CARD.md of an adopted model. ``settled``: how what its file left open was settled, a line each."""
    rules = manifest.labels
    names = manifest.heads["labels"].class_names
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
            "## Labels, and the score from which each is given",
            "",
            *each,
            *more,
            "",
            f"{rules.method[:1].upper()}{rules.method[1:]}. Under it a frame is `abstained: too_uncertain`.",
            f"Clear: {rules.clear_label or 'no label means that nothing was found'}.",
            "",
            "## What refuses other pictures",
            "",
            "Nothing but the pixel rules: it has no anatomy gate. Whatever is in the picture gets one of its labels,",
            "and each message says `gate: none`.",
            "",
            "## Not shown",
            "",
            *(f"- {line}" for line in manifest.not_shown),
            "",
        ]
    )
