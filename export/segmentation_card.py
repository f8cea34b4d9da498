"""Model card of a segmentation that was trained here, in Markdown, made from its manifest."""

from __future__ import annotations

from typing import TYPE_CHECKING

from export.model_card import NOTICE, figures_section

if TYPE_CHECKING:
    from edge.contracts.manifest import SegmentationManifest


def render_segmentation_card(manifest: SegmentationManifest, graph_bytes: int, golden: int) -> str:
    """Render MODEL_CARD.md from the manifest alone: it cannot say other than what was measured.

    ``golden``: number of golden vectors.
    """
    m, rules = manifest, manifest.areas
    names = m.label_names
    each = "\n".join(f"- {name}: from {rules.threshold_of(name):g}" for name in names[1:])
    data = "\n".join(f"- **{d.name}** ({d.licence}): {d.used_for}. {d.citation}" for d in m.training_data)
    limits = "\n".join(f"- {line}" for line in m.not_shown)
    empty = "is clear" if rules.empty_is_clear else "is never clear: it is too uncertain"
    return f"""# {m.name} {m.version}

**{NOTICE}**

Task: {m.task}, body part {m.body_part or "any"}. Licence: {m.licence or "not stated"}. Made {m.created} from revision \
{m.git_revision or "unknown"}.

It outlines {len(names) - 1} kinds of area in one picture, beside the background. It knows neither lesions nor
malignancy.

## In and out
Input {m.input}: as the preprocessing recipe {m.recipe_sha256[:16]} makes it. {graph_bytes / 2**20:.1f} MB of 8-bit
integer arithmetic. Output {m.heads["mask"].tensor}: a probability of each label in each place, {names[0]} first.

## Figures
{figures_section(m.metrics)}
No figure is of pictures that the model was trained on, or its thresholds chosen on. Intervals draw patients where the
run knew them, else pictures. They tell how sure these numbers are *for such pictures*, and nothing of other hospitals.

## Areas, and the probability from which a place belongs to each
{each}

A piece of less than {rules.min_area:.1%} of the input is left out. A picture in which nothing is found {empty}.
How thresholds were chosen: {rules.method}.

## What refuses other pictures
Nothing but the pixel rules: it has no anatomy gate. What it outlines in pictures of something else means nothing, and
each message says `gate: none`.

## What it was trained on
{data or "- not said: the recipe's [[data]] would say it"}

## What it was never shown
{limits}

## Golden vectors
{golden} rendered or made pictures, none of a data set, with the maps that a device must give before it judges.
"""
