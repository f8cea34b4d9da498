"""Scenarios of the demo: which pictures, why, and what must come of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from edge.config.load import streams_from_sources
from edge.contracts.errors import SourceError
from edge.contracts.results import Reason, Status
from edge.demo.ground_truth import compare_sizes
from edge.demo.summary import missing_parts
from edge.infer.inputs import find_inputs
from edge.phantom.spec import PhantomSpec
from edge.picture.wording import counted

if TYPE_CHECKING:
    from edge.demo.summary import DemoSummary

SEED = 1
PHANTOM_FRAMES = 75
MAX_STREAMS = 4
"""Sources of a mixed folder that the demo runs at once."""


@dataclass(slots=True)
class ScenarioOutcome:
    """Outcome of one scenario of the demo, in words."""

    sentence: str
    facts: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    """Empty: as it should be."""


@dataclass(frozen=True, slots=True)
class Scenario:
    """Scenario of the demo: one run of the daemon, and what must come of it."""

    device: str
    title: str
    about: str
    sources: list[str]
    """URIs, as the daemon gets them."""

    @property
    def shown(self) -> str:
        """First source, short enough for a line, and how many more there are."""
        more = f" and {len(self.sources) - 1} more" if len(self.sources) > 1 else ""
        scheme, _, rest = self.sources[0].partition("://")
        return f"{scheme}://{rest if len(rest) < 60 else '...' + rest[-56:]}{more}"

    def outcome(self, summary: DemoSummary) -> ScenarioOutcome:
        """Outcome from the received messages. Here: of pictures that we know nothing of."""
        return ScenarioOutcome(_tally(summary), _facts(summary), missing_parts(summary))

    def streams(self) -> dict[str, str]:
        """Name and URI (as fast as it goes) of each stream, to read its frames again."""
        named = streams_from_sources(self.sources)
        return {stream.name: stream.source.replace("&pace=realtime", "&pace=max") for stream in named}


class PhantomScenario(Scenario):
    """Scenario of a phantom with one lesion of known size."""

    def outcome(self, summary: DemoSummary) -> ScenarioOutcome:
        """Outcome: the lesion must be found and measured, and every frame accounted for."""
        outcome = ScenarioOutcome(_tally(summary), _facts(summary), missing_parts(summary))
        compared = compare_sizes(summary.findings, PhantomSpec(seed=SEED, lesions=1))
        outcome.facts += [each.text for each in compared[:3]]
        if not summary.health:
            outcome.problems.append("no health")
        if not summary.lesions:
            outcome.problems.append("no finding, though there is a lesion in the phantom")
        elif not compared:
            outcome.problems.append("the lesion was not measured, though the phantom is calibrated")
        elif all(each.true is None for each in compared):
            outcome.problems.append("what was found is not where the phantom's lesion is")
        accounted = sum(summary.frames.values())
        if accounted != PHANTOM_FRAMES:
            outcome.problems.append(f"coverage accounts for {accounted} of {PHANTOM_FRAMES} frames")
        return outcome


class HeartScenario(Scenario):
    """Scenario of a cine of a heart, which a breast model must not judge."""

    def outcome(self, summary: DemoSummary) -> ScenarioOutcome:
        """Outcome: it must be refused as the wrong anatomy."""
        outcome = ScenarioOutcome(_tally(summary), _facts(summary), missing_parts(summary))
        refused = summary.judged(Status.ABSTAINED, Reason.WRONG_ANATOMY)
        if refused:
            outcome.sentence = f"This is a heart, and the model knows breasts: it says so. {outcome.sentence}"
        else:
            outcome.problems.append("a heart was not refused as the wrong anatomy")
        return outcome


def demo_scenarios(own: Path | None) -> list[Scenario]:
    """All scenarios of the demo. ``own``: the user's pictures for the second one; None: the heart."""
    return [phantom_scenario(), heart_scenario() if own is None else input_scenario(own)]


def phantom_scenario() -> Scenario:
    """First scenario: a phantom with one lesion."""
    return PhantomScenario(
        device="demo-phantom",
        title="A phantom with one lesion",
        about=(
            "A computed picture of breast tissue with one lesion, moving as under a hand-held probe, 25 frames a "
            "second. It is calibrated, so that the lesion is measured, and its true size is known. Its "
            "malignancy means nothing: that part of the model never saw a phantom."
        ),
        sources=[f"phantom://?seed={SEED}&lesions=1&frames={PHANTOM_FRAMES}&pace=realtime"],
    )


def heart_scenario() -> Scenario:
    """Second scenario if no input was named: a cine of a heart."""
    return HeartScenario(
        device="demo-heart",
        title="A real clip: a heart",
        about=(
            "A DICOM cine of 30 frames that pydicom ships. The model was made for breasts. A network asked about a "
            "heart will always answer something; this runtime must refuse instead."
        ),
        sources=[f"dicom://{quote(str(heart_path()))}"],
    )


def input_scenario(path: Path) -> Scenario:
    """Second scenario on the user's own pictures. Raises `SourceError` if there are none."""
    inputs, _ = find_inputs([path])
    readable = [each for each in inputs if each.scheme is not None]
    if not readable:
        why = f": {inputs[0].problem}" if inputs else ""
        raise SourceError(f"there is nothing to analyse at {path}{why}", hint="give a picture, a video or a DICOM file")
    return Scenario(
        device="demo-input",
        title="Your pictures",
        about="What you gave, as the daemon saw it.",
        sources=[each.uri for each in readable[:MAX_STREAMS]],
    )


def heart_path() -> Path:
    """Path of the heart cine that pydicom has in its package; nothing is downloaded.

    Raises `SourceError` if this pydicom has none.
    """
    import pydicom

    path = Path(pydicom.__file__).parent / "data" / "test_files" / "examples_ybr_color.dcm"
    if not path.is_file():
        raise SourceError(f"this pydicom ships no {path.name}", hint="give a clip of your own with --input")
    return path


def _tally(summary: DemoSummary) -> str:
    """All frames by result: "75 frames: 70 finding, 5 clear"."""
    total = sum(summary.frames.values())
    parts = [
        f"{count} {status.value}" + ("" if reason is None else f" ({reason.value})")
        for (status, reason), count in summary.frames.most_common()
    ]
    return f"{counted(total, 'frame')}: {', '.join(parts)}." if parts else "Not one frame was judged."


def _facts(summary: DemoSummary) -> list[str]:
    """What else can be told from the messages."""
    facts = [counted(len(summary.lesions), "lesion")]
    gaps = "none missing" if not summary.missing else f"{summary.missing} missing"
    facts.append(f"{summary.durable} durable messages, {gaps}")
    facts += sorted({f"{birth.model.name} {birth.model.version}" for birth in summary.births if birth.model})
    times = [health.infer_p50_ms for health in summary.health if health.infer_p50_ms is not None]
    if times:
        facts.append(f"inference p50 {times[-1]:.1f} ms")
    return facts
