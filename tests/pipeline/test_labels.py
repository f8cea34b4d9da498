"""A classifier through the loop: its verdicts, its labels over time, and messages that a lesion model never sends."""

from __future__ import annotations

import json
from dataclasses import replace

import msgspec
import numpy as np
import pytest
from device_messages import DeviceMessages

from edge.app.envelope import EnvelopeMaker
from edge.config.settings import StreamSettings
from edge.config.tracking_settings import TrackingSettings
from edge.config.uri import parse_uri
from edge.contracts.finding import ModelRef, RuntimeRef
from edge.contracts.frame_result import Result
from edge.contracts.labels import Labels, LabelScore
from edge.contracts.manifest import (
    ANATOMY,
    LABELS,
    ClassificationManifest,
    Golden,
    HeadSpec,
    LabelRules,
)
from edge.contracts.picture_recipe import PictureRecipe
from edge.contracts.results import Reason, Status
from edge.contracts.tensors import TensorSpec
from edge.fleet.device_ledger import Arrival
from edge.fleet.ledger import Ledger
from edge.models.scripted_manifest import scripted_manifest
from edge.pipeline.analyser import Analyser
from edge.pipeline.guard import RuntimeGuard
from edge.pipeline.label_tracker import LabelTracker
from edge.pipeline.messages import Messages, Provenance
from edge.postprocess.decide import decide
from edge.postprocess.frame_context import FrameContext
from edge.preprocess.letterbox import fit
from edge.runtimes.scripted import ScriptedRuntime
from edge.schema import examples

NAMES = ["cyst", "solid", "normal"]
STREAM = StreamSettings(name="s", source="replay://x")
PLACED = fit((0, 0, 96, 80), 32, 32)
PIXELS = np.zeros((80, 96), np.uint8)


def classifier(gate: bool = False, body_part: str = "", **rules) -> ClassificationManifest:
    recipe = PictureRecipe(width=32, height=32)
    heads = {LABELS: HeadSpec(tensor=TensorSpec((1, 3), "float32"), class_names=NAMES)}
    if gate:
        heads[ANATOMY] = HeadSpec(tensor=TensorSpec((1, 1), "float32"))
        rules |= {"anatomy": 0.5, "anatomy_stated": 0.2}
    return ClassificationManifest(
        judges="classification",
        name="organ",
        version="1",
        task="test",
        body_part=body_part,
        licence="",
        input=TensorSpec((1, 32, 32, 3)),
        recipe=recipe,
        recipe_sha256=recipe.digest(),
        heads=heads,
        golden=Golden(max_abs_diff={"xnnpack": 0}),
        training_data=[],
        metrics=[],
        not_shown=[],
        git_revision="",
        created="",
        labels=LabelRules(**{"output": "probabilities", "threshold": 0.5, **rules}),
    )


def judge(values, manifest=None, anatomy=None, **more):
    outputs = {LABELS: np.array([values], np.float32)}
    if anatomy is not None:
        outputs[ANATOMY] = np.array([[anatomy]], np.float32)
    return decide(outputs, manifest or classifier(), PLACED, (), PIXELS, FrameContext(**more))


def test_the_highest_score_over_its_threshold_is_a_finding_and_never_malignancy():
    verdict = judge([0.1, 0.7, 0.2])
    assert (verdict.status, verdict.given) == (Status.FINDING, ("solid",))
    assert [(each.name, each.score) for each in verdict.scores] == [("solid", 0.7), ("normal", 0.2), ("cyst", 0.1)]
    assert (verdict.malignancy, verdict.suspicious, verdict.uncertainty, verdict.lesions) == (None, None, None, ())


@pytest.mark.parametrize(
    ("values", "rules", "status", "reason"),
    [
        ([0.4, 0.35, 0.25], {}, "abstained", "too_uncertain"),
        ([0.6, 0.2, 0.2], {"thresholds": {"cyst": 0.7}}, "abstained", "too_uncertain"),
        ([0.1, 0.1, 0.8], {}, "finding", None),
        ([0.1, 0.1, 0.8], {"clear_label": "normal"}, "clear", None),
        ([0.1, 0.1, 0.49], {"clear_label": "normal"}, "abstained", "too_uncertain"),
        ([np.nan, 0.1, 0.8], {}, "no_result", "nan_output"),
        ([3.0, -1.0, 0.0], {"output": "logits"}, "finding", None),
        ([3.0, -1.0, 0.0], {"output": "logits", "temperature": 20.0}, "abstained", "too_uncertain"),
        ([-900.0, -800.0, -1000.0], {"output": "logits", "exclusive": False}, "abstained", "too_uncertain"),
    ],
)
def test_the_four_states_hold(values, rules, status, reason):
    verdict = judge(values, classifier(**rules))
    assert (verdict.status.value, verdict.reason and verdict.reason.value) == (status, reason)
    assert bool(getattr(verdict, "scores", ())) == (status != "no_result"), (
        "scores are told of what is too uncertain, too"
    )


def test_labels_that_do_not_exclude_each_other_are_each_judged():
    each = classifier(exclusive=False, clear_label="normal")
    assert judge([0.9, 0.6, 0.1], each).given == ("cyst", "solid")
    assert judge([0.1, 0.2, 0.9], each).status is Status.CLEAR
    assert judge([0.9, 0.2, 0.9], each).reason is Reason.HEADS_DISAGREE, "nothing to find, and something found"


def test_what_is_not_seen_is_not_clear():
    clear = classifier(clear_label="normal")
    assert judge([0, 0, 1.0], clear, unseen=lambda: 0.9).reason is Reason.PARTLY_SEEN
    assert judge([0, 0, 1.0], clear, unseen=lambda: 0.1).status is Status.CLEAR
    assert judge([1.0, 0, 0], clear, unseen=lambda: 0.9).status is Status.FINDING


def test_the_gate_refuses_where_there_is_one_and_names_refuse_without():
    gated = classifier(gate=True, body_part="THYROID")
    assert judge([1.0, 0, 0], gated, anatomy=0.4).reason is Reason.WRONG_ANATOMY
    assert judge([1.0, 0, 0], gated, anatomy=0.4, body_part="THYROID").status is Status.FINDING
    assert judge([1.0, 0, 0], gated, anatomy=0.9, body_part="BREAST").reason is Reason.WRONG_ANATOMY
    assert judge([1.0, 0, 0], classifier(body_part="THYROID"), body_part="BREAST").reason is Reason.WRONG_ANATOMY
    assert judge([1.0, 0, 0], classifier(), body_part="BREAST").status is Status.FINDING


def test_no_score_is_rounded_to_the_other_side_of_its_threshold():
    verdict = judge([0.49998, 0.3, 0.2])
    assert verdict.status is Status.ABSTAINED
    assert verdict.scores[0].score < 0.5


def test_probabilities_that_are_none_are_a_fault_and_no_label():
    with pytest.raises(ValueError, match="expected probabilities"):
        judge([0.2, 7.0, 0.1])


# --- over time ----------------------------------------------------------------------------------------------------


def result(seq=0, status=Status.FINDING, score=0.7, given=("solid",), **more) -> Result:
    judged = status in (Status.FINDING, Status.CLEAR)
    scores = (LabelScore("solid", score), LabelScore("cyst", round(1 - score, 4)))
    return Result(
        status=status,
        reason=None if judged else Reason.TOO_UNCERTAIN,
        stream="s",
        frame_seq=seq,
        captured_ns=seq * 40_000_000,
        scores=scores,
        given=given if judged else (),
        gated_by="none",
        **more,
    )


def told(events):
    return [(event.lifecycle, event.label.name, event.end_reason) for event in events]


def test_a_label_is_new_then_silent_then_gone():
    tracker = LabelTracker(TrackingSettings(gone_after_frames=2))
    first = tracker.update(result(0))
    assert told(first) == [("new", "solid", None)]
    assert tracker.update(result(1, score=0.72)) == []
    assert told(tracker.update(result(2, score=0.85))) == [("update", "solid", None)]
    assert told(tracker.update(result(3, given=("cyst",)))) == [("new", "cyst", None)]
    last = tracker.update(result(4, given=("cyst",)))
    assert told(last) == [("end", "solid", "gone")]
    assert (last[0].label_id, last[0].label.score) == (first[0].label_id, 0.85), "what was last said of it"
    assert told(tracker.end_all("stopped")) == [("end", "cyst", "stopped")]


def test_frames_that_are_not_judged_end_labels_as_not_judged():
    tracker = LabelTracker(TrackingSettings(gone_after_frames=2))
    tracker.update(result(0))
    assert tracker.update(result(1, status=Status.ABSTAINED)) == []
    assert told(tracker.update(result(2, status=Status.ABSTAINED))) == [("end", "solid", "not_judged")]


def test_a_label_that_is_seen_for_long_is_told_again():
    tracker = LabelTracker(TrackingSettings(update_every_s=1.0))
    tracker.update(result(0))
    assert tracker.update(result(24)) == []
    assert told(tracker.update(result(25))) == [("update", "solid", None)]


@pytest.mark.parametrize(
    "wrong",
    [
        {"malignancy": 0.5},
        {"suspicious": True},
        {"call_uncertain": True},
        {"given": ()},
        {"status": Status.NO_RESULT, "reason": Reason.FAILED},
        {"reason": Reason.BLACK},
    ],
)
def test_results_that_contradict_themselves_are_refused(wrong):
    fields = {"status": Status.FINDING, "scores": (LabelScore("a", 0.9),), "given": ("a",), **wrong}
    with pytest.raises(ValueError, match="with"):
        Result(stream="s", frame_seq=0, captured_ns=0, **fields)


# --- messages -----------------------------------------------------------------------------------------------------


def messages_of(manifest) -> Messages:
    return Messages(
        EnvelopeMaker("device", "run").fields, Provenance(manifest, ModelRef(name="m", version="1", sha256="00"), False)
    )


def messages() -> Messages:
    return messages_of(classifier(thresholds={"solid": 0.6}))


def test_a_label_message_says_who_judged_by_what_and_that_nothing_guards_it(make):
    (event,) = LabelTracker(TrackingSettings()).update(result(3, runtime=RuntimeRef(name="litert", delegate=None)))
    message = messages().label(event, replace(make.frame(3), captured_ns=0), STREAM, "exam")
    body = json.loads(msgspec.json.encode(message))
    assert (body["schema"], body["label"], body["score"], body["threshold"]) == ("labels/1", "solid", 0.7, 0.6)
    assert (body["gate"], body["status"], body["exam_id"]) == ("none", "finding", "exam")
    assert body["labels"] == [{"name": "solid", "score": 0.7}, {"name": "cyst", "score": 0.3}]
    assert not {"malignancy", "suspicious", "lesions", "operating_point", "prevalence"} & set(body)


def test_the_latest_result_has_labels_of_a_classifier_and_not_a_word_more_of_a_lesion_model(make):
    body = json.loads(msgspec.json.encode(messages().latest_result(result(1), "exam")))
    assert (body["found"], body["gate"], body["malignancy"], body["lesions"]) == (["solid"], "none", None, [])
    latest = messages_of(scripted_manifest()).latest_result(make.finding(), "exam")
    assert not {"labels", "found", "gate"} & set(json.loads(msgspec.json.encode(latest)))


def test_scripted_answers_of_a_classifier_go_through_analyser(make):
    manifest = classifier()
    runtime = ScriptedRuntime(parse_uri("scripted://?distinct=1"), None, manifest)
    analyser = Analyser(manifest, RuntimeGuard([lambda: runtime], lambda _: None, 1.0))
    given = [analyser.analyse(make.frame(number)).given for number in range(3)]
    black = analyser.analyse(replace(make.frame(3), pixels=np.zeros((80, 96), np.uint8)))
    analyser.close()
    assert given == [("solid",), ("normal",), ("cyst",)]
    assert (black.reason, black.gated_by, black.scores) == (Reason.BLACK, "none", ())


def test_a_consumer_that_knows_findings_alone_counts_labels_too():
    ledger = Ledger()
    device = DeviceMessages(ledger)
    device.state(1, durable_topics=("findings", "coverage", "labels"))
    label = msgspec.structs.replace(examples.labels(), seq=1)
    prefix = examples.TOPICS.prefix
    assert ledger.feed(f"{prefix}/labels/cart", msgspec.json.encode(label)) is Arrival.NEW
    assert ledger.feed(f"{prefix}/labels/cart", msgspec.json.encode(label)) is Arrival.DUPLICATE
    finding = msgspec.structs.replace(examples.finding(), seq=2)
    assert ledger.feed(f"{prefix}/findings/cart", msgspec.json.encode(finding)) is Arrival.NEW
    assert isinstance(label, Labels)


def test_the_fleet_shows_the_last_label():
    from edge.fleet.device_table import finding_text
    from edge.fleet.last_messages import LastFinding

    said = {"malignancy": None, "suspicious": None, "label": "cyst", "score": 0.81}
    last = LastFinding(stream="s", lifecycle="new", age_s=7.0, **said)
    assert finding_text(last) == "cyst 0.81, 7 s ago"
    assert finding_text(msgspec.structs.replace(last, lifecycle="end")) == "cyst ended, 7 s ago"
