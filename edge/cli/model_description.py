"""Text of ``edge-cli model info``: all that people should know of a bundle, or of a plain classifier."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

from edge.contracts.manifest import ClassificationManifest, ModelManifest, SegmentationManifest

if TYPE_CHECKING:
    from collections.abc import Iterable

    from edge.contracts.classifier import ClassifierCard
    from edge.contracts.manifest import BundleManifest, ScoreRules
    from edge.models.bundle import Bundle
    from edge.models.classifier import Classifier

NAMES_SHOWN = 20
"""Most class names of a head that are listed."""


def describe(bundle: Bundle) -> str:
    """Text with all that people should know of a bundle."""
    m = bundle.manifest
    return "\n".join(
        [
            f"{m.name} {m.version}   research use only, not a medical device",
            f"  {bundle.path}",
            f"  sha256 {bundle.sha256}, {bundle.size:,} bytes, {len(bundle.golden)} golden vectors",
            f"  task {m.task}, body part {m.body_part or 'any'}, licence {m.licence or 'not stated'}",
            f"  made {m.created}, revision {m.git_revision or 'unknown'}, recipe {m.recipe_sha256[:16]}",
            *(f"  optional {name}, {size:,} bytes: {_use_of(name, bundle)}" for name, size in bundle.optional.items()),
            "",
            f"input   {m.input}",
            *(
                f"head    {name}: {head.tensor}{', ' * bool(head.class_names)}{_names(head.class_names)}"
                for name, head in m.heads.items()
            ),
            "",
            *_rules(m),
            "",
            *_figures(m),
            "",
            "trained on",
            *(_data(m) or ["  - not said"]),
            *(["", "never shown", *_list(m.not_shown)] if m.not_shown else []),
        ]
    )


def _use_of(name: str, bundle: Bundle) -> str:
    """What an optional member does here, in words."""
    from edge.models.bundle_file import OPTIONAL_LIMITS

    if name not in OPTIONAL_LIMITS or bundle.clip is None:
        return f"{'not used' if name in OPTIONAL_LIMITS else 'not known'} here"
    step = bundle.clip.manifest
    does = [] if step.new_from is None else [f"says when a lesion is new (presence from {step.new_from:g})"]
    does += ["joins the frames of a lesion"] if step.joins else []
    return f"{' and '.join(does) or 'decides nothing'}; {step.method}"


def _names(names: list[str]) -> str:
    """Names of classes in one line: of thousands the first."""
    more = f" and {len(names) - NAMES_SHOWN} more" if len(names) > NAMES_SHOWN else ""
    return " / ".join(names[:NAMES_SHOWN]) + more


def _rules(m: BundleManifest) -> list[str]:
    """How the model's outputs are judged, by its kind."""
    if isinstance(m, ModelManifest):
        return _thresholds(m)
    if isinstance(m, SegmentationManifest):
        return _area_rules(m)
    return _label_rules(m) if isinstance(m, ClassificationManifest) else []


def _label_rules(m: ClassificationManifest) -> list[str]:
    rules = m.labels
    kind = "one label holds at a time" if rules.exclusive else "each label is judged for itself"
    return [
        "judges     classification: labels, neither lesions nor malignancy",
        *_score_rules(rules, kind),
        f"clear      {'no label means it' if rules.clear_label is None else rules.clear_label}",
        f"anatomy    {_gate(rules, 'whatever is in the picture gets a label')}",
        *(_list([rules.method]) if rules.method else []),
    ]


def _area_rules(m: SegmentationManifest) -> list[str]:
    rules = m.areas
    kind = f"{m.label_names[0]} is the background" if rules.exclusive else "each label is an area for itself"
    clear = "no place over its threshold" if rules.empty_is_clear else "nothing means it"
    return [
        "judges     segmentation: areas of labels, neither lesions nor malignancy",
        *_score_rules(rules, kind),
        f"area       pieces from {rules.min_area:.2%} of the input",
        f"clear      {clear}",
        f"anatomy    {_gate(rules, 'whatever is in the picture may get an area')}",
        *(_list([rules.method]) if rules.method else []),
    ]


def _score_rules(rules: ScoreRules, kind: str) -> list[str]:
    calibrated = "" if rules.temperature == 1.0 else f", at a temperature of {rules.temperature:g}"
    return [
        f"output     {rules.output}, {kind}{calibrated}",
        f"threshold  {rules.threshold:g}; under it too uncertain",
        *(f"  {name}: {value:g}" for name, value in rules.thresholds.items()),
    ]


def _gate(rules: ScoreRules, without: str) -> str:
    return f"no gate: {without}" if rules.anatomy is None else f"not judged under {rules.anatomy:.3f}"


def _data(m: BundleManifest) -> list[str]:
    return _list(f"{d.name} ({d.licence}): {d.used_for}. {d.citation}" for d in m.training_data)


def _thresholds(m: ModelManifest) -> list[str]:
    t = m.thresholds
    uncertain, stated = "none", ""
    if t.uncertain is not None:
        between = f"between {t.uncertain[0]:.3f} and {t.uncertain[1]:.3f}"
        uncertain = f"{between}: with a lesion an uncertain call, without one not judged"
    if t.anatomy_stated is not None:
        stated = f"; under {t.anatomy_stated:.3f} where configuration or DICOM says {m.body_part}"
    return [
        f"suspicious from a malignancy of {t.malignancy:.3f}",
        *_list([t.operating_point, f"calibrated where {t.prevalence:.0%} of the pictures were malignant"]),
        f"lesion     mask pixels from {t.lesion:g}, mean presence from {t.lesion_score:g}, "
        f"area from {t.lesion_min_area:.2%} of the input",
        f"anatomy    not judged under {t.anatomy:.3f}{stated}",
        f"uncertain  {uncertain}",
    ]


def describe_plain(plain: Classifier) -> str:
    """Text with all that people should know of a plain classifier."""
    card = plain.card
    return "\n".join(
        [
            f"{card.name} {card.version}   a plain classifier: no device judges by it; research use only",
            f"  {plain.path}",
            f"  sha256 {plain.sha256}, {plain.size:,} bytes",
            f"  task {card.task}, body part {card.body_part or 'any'}, licence {card.licence or 'not stated'}",
            f"  made {card.created}, revision {card.git_revision or 'unknown'}, recipe {card.recipe_sha256[:16]}",
            "",
            f"input   {card.input}",
            f"output  {card.output}: {' / '.join(card.class_names)}",
            "",
            *_figures(card),
            "",
            "trained on",
            *(
                _list(f"{d.name} ({d.licence}): {d.used_for}. {d.citation}" for d in card.training_data)
                or ["  - not said"]
            ),
        ]
    )


def _figures(manifest: BundleManifest | ClassifierCard) -> list[str]:
    if not manifest.metrics:
        return ["no figures"]
    width = max(len(m.name) for m in manifest.metrics)
    lines = []
    for data in dict.fromkeys(m.data for m in manifest.metrics):
        rows = [m for m in manifest.metrics if m.data == data]
        methods = {m.method.split(";")[0] for m in rows}
        shared = f", all {methods.pop()}" if len(methods) == 1 else ""  # said once, it leaves the rows short
        lines += textwrap.wrap(f"measured on {data}{shared}", 100)
        lines += [
            f"  {m.name:{width}}  {m.value:6.3f}   {m.low:.3f} to {m.high:.3f}"
            + ("" if shared else f"   {m.method.split(';')[0]}")
            for m in rows
        ]
    return lines


def _list(items: Iterable[str]) -> list[str]:
    return [
        line for item in items for line in textwrap.wrap(item, 100, initial_indent="  - ", subsequent_indent="    ")
    ]
