"""Model card of a bundle in Markdown, made from its manifest; licence, author and notice of the models."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from edge.contracts.manifest import Metric
from export.metrics import ROUNDS, bootstrap_interval

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from edge.contracts.manifest import ModelManifest
    from export.golden.coverage import HeadCoverage

LICENCE = "Apache-2.0"
AUTHOR = "The sonoedge contributors"
NOTICE = "Research use only. Not a medical device. Not for diagnosis."

OTHER_ANATOMY = {"other anatomy passed": "passed", "other anatomy passed, where breast is stated": "passed_stated"}
"""Metrics of the anatomy gate on files of other organs, and the count of frames that each is made of."""


def render_card(manifest: ModelManifest, graph_bytes: int) -> str:
    """Render MODEL_CARD.md from the manifest alone: it cannot say other than what was measured."""
    m, t = manifest, manifest.thresholds
    heads = "\n".join(f"| `{name}` | {h.tensor} | {', '.join(h.class_names) or '-'} |" for name, h in m.heads.items())
    data = "\n".join(f"- **{d.name}** ({d.licence}): {d.used_for}. {d.citation}" for d in m.training_data)
    limits = "\n".join(f"- {line}" for line in m.not_shown)
    size = f"{graph_bytes / 2**20:.1f} MB"
    smallest = f"{t.lesion_min_area:.2%} of the tensor"
    least = f"{t.lesion_score:g}"
    return f"""# {m.name} {m.version}

**{NOTICE}**

Task: {m.task}, body part {m.body_part}. Licence: {m.licence}. {_made(m)}

It looks at one ultrasound picture and says where it sees a lesion, and how likely a lesion like this was malignant
among the pictures it was calibrated on. "No lesion detected in this frame" never means "healthy".

## In and out
Input {m.input}: the grey value itself, as the preprocessing recipe {m.recipe_sha256[:16]} makes it.
{size} of 8-bit integer arithmetic.

| head | tensor | classes |
|---|---|---|
{heads}

## Figures
{figures_section(m.metrics)}
No figure is of pictures that the measured model was trained or chosen on. That is the 8-bit model in this file unless
it says otherwise.
Intervals are 95 % and draw patients, not pictures. They tell how sure these numbers are *for such pictures*. Rows that
name a hospital or scanner as never seen tell of that one alone; of other hospitals, scanners and women none says
anything.

## Thresholds
- Suspicious at a malignancy of {t.malignancy:.3f} or more: {t.operating_point}.
{_calibrated(m)}
- A mask pixel is lesion from {t.lesion:g}. A lesion is reported from a mean presence of {least} and {smallest}.
{_not_judged(m)}

## What it was trained on
{data}

## What it was never shown
{limits}

On such pictures its numbers mean nothing, and it may not notice.
"""


def _made(manifest: ModelManifest) -> str:
    """Sentences of the card on when the bundle was made, and its network where that was before."""
    trained = f" Its network was trained {manifest.trained}." if manifest.trained else ""
    return f"Made {manifest.created} from revision {manifest.git_revision or 'unknown'}.{trained}"


def _calibrated(manifest: ModelManifest) -> str:
    """Lines of the card on the calibration: its numbers, the prevalence that it holds at, and how it was fitted."""
    c = manifest.calibration
    numbers = f"slope {c.slope:.3f}, intercept {c.intercept:.3f}"
    if c.presence:
        numbers += f", and up to {c.presence:.3f} log odds less the less the mask sees of a lesion"
    share = f"{manifest.thresholds.prevalence:.0%}"
    fitted = f"\n  How it was fitted: {c.method}." if c.method else ""
    return (
        f"- Probabilities are calibrated ({numbers}) where **{share} of the pictures were malignant**.\n"
        f"  Where fewer are, as in screening, they are too high; ranks hold better than values.{fitted}"
    )


def _not_judged(manifest: ModelManifest) -> str:
    """Lines of the card on the limits of the anatomy gate, and on the interval of uncertain values."""
    t = manifest.thresholds
    gate = f"- A picture with an anatomy score under {t.anatomy:.3f} is not judged (wrong anatomy)"
    if t.anatomy_stated is not None:
        gate += f"; under {t.anatomy_stated:.3f} where the configuration or DICOM says {manifest.body_part}"
    uncertain = "No malignancy is told as uncertain: no interval was chosen."
    if t.uncertain is not None:
        uncertain = (
            f"Between a malignancy of {t.uncertain[0]:.3f} and {t.uncertain[1]:.3f} a finding's call is told as "
            "uncertain, and a picture without a lesion is not judged (too uncertain)."
        )
    return f"{gate}.\n- {uncertain}"


def golden_section(cases: int, found: Sequence[HeadCoverage], reason: str = "") -> str:
    """Section of the card on the golden vectors: what they notice, and why there is another version of them."""
    noticed = ", ".join(f"{head.head} {head.noticed} of {head.drawn}" for head in found)
    return f"""
## Golden vectors
{f"{reason}" if reason else ""}
{cases} rendered or altered pictures, none of a data set, with the outputs that a device must give before it judges.
Of weights of each head that were negated or moved by a quarter of their range, one at a time, they notice: {noticed}.
Weights of channels that are zero on every representative picture were left out. The altered pictures look like noise:
each pixel was moved until features that are silent on phantoms woke.
"""


def figures_section(metrics: Sequence[Metric]) -> str:
    """Markdown tables of the metrics, one for each set of data that something was measured on."""
    lines: list[str] = []
    for data in dict.fromkeys(m.data for m in metrics):
        lines += [f"On {data}:", "", "| figure | value | 95 % interval | n | how |", "|---|---|---|---|---|"]
        lines += [
            f"| {m.name} | {m.value:.3f} | {m.low:.3f} to {m.high:.3f} | {m.n} | {m.method.split(';')[0]} |"
            for m in metrics
            if m.data == data
        ]
        lines.append("")
    return "\n".join(lines) if lines else "None.\n"


def anatomy_gate_metrics(metrics: dict[str, Any]) -> list[Metric]:
    """Anatomy gate's metrics as training measured them: on files of other organs, by gates that never saw their kind.

    Where body parts are stated the limit is lower, and more passes: a second metric, where it was measured.
    """
    files = list(metrics.get("gate", {}).get("files", {}).values())
    return [
        _passed(name, key, files)
        for name, key in OTHER_ANATOMY.items()
        if files and all(each.get(key) is not None for each in files)
    ]


def _passed(name: str, key: str, files: Sequence[Mapping[str, Any]]) -> Metric:
    """Metric of the frames that pass, by files: ``key`` names their count."""
    passed, frames = (np.array([float(each[count]) for each in files]) for count in (key, "frames"))
    families = np.array([each["family"] for each in files])
    value, low, high = bootstrap_interval(
        lambda weights: float((weights * passed).sum() / (weights * frames).sum()), families
    )
    return Metric(
        name=name,
        value=round(value, 4),
        low=round(low, 4),
        high=round(high, 4),
        data=f"ultrasound of other organs and of test objects ({len(files)} files, {len(set(families))} kinds)",
        n=int(frames.sum()),
        method=(
            "frames let through, each by a float gate fitted without its kind, but designed with these figures in "
            f"sight; 0 is best; 95 % percentile bootstrap over kinds, {ROUNDS} draws"
        ),
    )
