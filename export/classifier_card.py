"""Model card of a classifier that was trained here, in Markdown, made from its manifest."""

from __future__ import annotations

from typing import TYPE_CHECKING

from export.model_card import NOTICE, figures_section

if TYPE_CHECKING:
    from edge.contracts.manifest import ClassificationManifest


def render_classifier_card(manifest: ClassificationManifest, graph_bytes: int, golden: int) -> str:
    """Render MODEL_CARD.md from the manifest alone: it cannot say other than what was measured.

    ``golden``: number of golden vectors.
    """
    m, rules = manifest, manifest.labels
    names = m.heads["labels"].class_names
    each = "\n".join(f"- {name}: from {rules.threshold_of(name):g}" for name in names)
    data = "\n".join(f"- **{d.name}** ({d.licence}): {d.used_for}. {d.citation}" for d in m.training_data)
    limits = "\n".join(f"- {line}" for line in m.not_shown)
    return f"""# {m.name} {m.version}

**{NOTICE}**

Task: {m.task}, body part {m.body_part or "any"}. Licence: {m.licence or "not stated"}. Made {m.created} from revision \
{m.git_revision or "unknown"}.

It looks at one picture and gives it one of {len(names)} labels, or says that it is too uncertain. It knows neither
lesions nor malignancy.

## In and out
Input {m.input}: as the preprocessing recipe {m.recipe_sha256[:16]} makes it. {graph_bytes / 2**20:.1f} MB of 8-bit
integer arithmetic. Output {m.heads["labels"].tensor}: a probability of each label.

## Figures
{figures_section(m.metrics)}
No figure is of pictures that the measured model was trained on, and none but those "out of fold" of pictures that
thresholds were chosen on. Intervals draw patients where the
run knew them, else pictures. They tell how sure these numbers are *for such pictures*, and nothing of other hospitals.

## Labels, and the score from which each is given
{each}

Temperature {rules.temperature:g}. How both were chosen: {rules.method}.
Under it a frame is `abstained: too_uncertain`. Clear: {rules.clear_label or "no label means that nothing was found"}.

## What refuses other pictures
{_gate(m)}

## What it was trained on
{data or "- not said: the recipe's [[data]] would say it"}

## What it was never shown
{limits}

## Golden vectors
{golden} rendered or made pictures, none of a data set, with the outputs that a device must give before it judges.
"""


def _gate(manifest: ClassificationManifest) -> str:
    if manifest.gate == "anatomy":
        return "A picture whose anatomy output is under its limit is not judged (wrong anatomy)."
    return (
        "Nothing but the pixel rules: it has no anatomy gate. Whatever is in the picture gets one of its labels, and\n"
        "each message says `gate: none`."
    )
