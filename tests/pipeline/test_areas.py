"""Areas of a segmentation network over time, in messages, and through the loop: what labels have, and sizes beside."""

from __future__ import annotations

import json
from dataclasses import replace

import msgspec
import numpy as np
import pytest

from edge.app.envelope import EnvelopeMaker
from edge.config.settings import StreamSettings
from edge.config.tracking_settings import TrackingSettings
from edge.config.uri import parse_uri
from edge.contracts.finding import ModelRef, RuntimeRef
from edge.contracts.frame_result import Result
from edge.contracts.labels import LabelArea, Labels, LabelScore
from edge.contracts.results import Reason, Status
from edge.fleet.device_ledger import Arrival
from edge.fleet.ledger import Ledger
from edge.picture.overlay import draw_overlay
from edge.picture.wording import REASONS, reason_text
from edge.pipeline.analyser import Analyser
from edge.pipeline.guard import RuntimeGuard
from edge.pipeline.label_tracker import LabelTracker
from edge.pipeline.messages import Messages, Provenance
from edge.runtimes.scripted import ScriptedRuntime
from edge.schema import examples
from tests.postprocess.test_segment import segmenter

STREAM = StreamSettings(name="s", source="replay://x")


def area(box=(10, 10, 30, 20), share=0.1, name="cyst") -> LabelArea:
    x, y, w, h = box
    outline = [(float(x), float(y)), (float(x + w), float(y)), (float(x + w), float(y + h)), (float(x), float(y + h))]
    return LabelArea(name=name, score=0.9, share=share, pieces=1, box=box, outlines=[outline], area_mm2=12.5)


def result(seq=0, status=Status.FINDING, areas=None, **more) -> Result:
    found = (areas or (area(),)) if status is Status.FINDING else ()
    return Result(
        status=status,
        reason=Reason.TOO_UNCERTAIN if status is Status.ABSTAINED else None,
        stream="s",
        frame_seq=seq,
        captured_ns=seq * 40_000_000,
        scores=(LabelScore("cyst", 0.95),),
        given=tuple(each.name for each in found),
        areas=found,
        gated_by="none",
        **more,
    )


def told(events):
    return [(event.lifecycle, event.label.name, event.end_reason) for event in events]


def test_an_area_is_new_updated_when_it_moves_or_grows_and_gone():
    tracker = LabelTracker(TrackingSettings(gone_after_frames=2))
    assert told(tracker.update(result(0))) == [("new", "cyst", None)]
    assert tracker.update(result(1, areas=(area((11, 10, 30, 20), 0.105),))) == []
    assert told(tracker.update(result(2, areas=(area((30, 10, 30, 20)),)))) == [("update", "cyst", None)]
    assert told(tracker.update(result(3, areas=(area((30, 10, 30, 20), 0.18),)))) == [("update", "cyst", None)]
    assert tracker.update(result(4, status=Status.CLEAR)) == [], "no label is given for a frame without an area"
    last = tracker.update(result(5, status=Status.CLEAR))
    assert told(last) == [("end", "cyst", "gone")]
    assert last[0].result.area_of("cyst").share == 0.18, "what was last said of it"


def messages() -> Messages:
    manifest = segmenter(thresholds={"cyst": 0.6})
    return Messages(
        EnvelopeMaker("device", "run").fields, Provenance(manifest, ModelRef(name="m", version="1", sha256="00"), False)
    )


def test_a_message_has_the_area_of_its_label_and_the_latest_result_all(make):
    ref = RuntimeRef(name="litert", delegate=None)
    (event,) = LabelTracker(TrackingSettings()).update(result(3, runtime=ref))
    body = json.loads(msgspec.json.encode(messages().label(event, make.frame(3), STREAM, "exam")))
    assert (body["schema"], body["label"], body["score"], body["threshold"]) == ("labels/1", "cyst", 0.95, 0.6)
    assert (body["area"]["share"], body["area"]["area_mm2"], body["area"]["box"]) == (0.1, 12.5, [10, 10, 30, 20])
    assert not {"malignancy", "suspicious", "lesions", "areas"} & set(body)
    latest = json.loads(msgspec.json.encode(messages().latest_result(result(1), "exam")))
    assert (latest["found"], [each["name"] for each in latest["areas"]], latest["lesions"]) == (["cyst"], ["cyst"], [])
    assert latest["malignancy"] is None
    black = Result(stream="s", frame_seq=1, captured_ns=0, status=Status.ABSTAINED, reason=Reason.BLACK)
    assert json.loads(msgspec.json.encode(messages().latest_result(black, "exam")))["areas"] == []


def test_a_consumer_of_labels_reads_areas_as_labels_and_counts_them():
    label = msgspec.structs.replace(examples.labels(), seq=1)
    old = type(
        "Old", (msgspec.Struct,), {"__annotations__": {"label": str, "score": float, "labels": list[LabelScore]}}
    )
    assert msgspec.json.decode(msgspec.json.encode(label), type=old).label == "cyst"
    without = msgspec.json.decode(msgspec.json.encode(msgspec.structs.replace(label, area=msgspec.UNSET)), type=Labels)
    assert without.area is msgspec.UNSET, "absent has a meaning: a classifier"
    assert Ledger().feed(f"{examples.TOPICS.prefix}/labels/cart", msgspec.json.encode(label)) is Arrival.NEW


@pytest.mark.parametrize("names", [("cyst",), ("background", "cyst", "solid")])
def test_scripted_answers_go_through_the_analyser(make, names):
    manifest = segmenter(names)
    runtime = ScriptedRuntime(parse_uri("scripted://?nan_at=2"), None, manifest)
    analyser = Analyser(manifest, RuntimeGuard([lambda: runtime], lambda _: None, 1.0))
    judged = [analyser.analyse(make.frame(number)) for number in range(2)]
    black = analyser.analyse(replace(make.frame(3), pixels=np.zeros((80, 96), np.uint8)))
    analyser.close()
    assert (judged[0].status, [each.name for each in judged[0].areas]) == (Status.FINDING, [names[-1]])
    assert (judged[1].status, judged[1].reason, judged[1].areas) == (Status.NO_RESULT, Reason.NAN_OUTPUT, None)
    assert (black.reason, black.gated_by, black.areas) == (Reason.BLACK, "none", None)


@pytest.mark.parametrize("reason", list(Reason))
def test_of_a_model_without_lesions_no_reason_speaks_of_one(reason):
    assert not {"lesion", "malignancy"} & set(reason_text(reason, "none").replace(",", "").split())
    assert reason_text(reason, None) == REASONS[reason]


def test_the_overlay_shows_each_area_in_the_colour_of_its_bar():
    from edge.picture.area_outlines import COLOURS

    pixels = np.full((120, 240), 90, np.uint8)
    areas = (area((20, 20, 60, 60), name="cyst"), area((130, 20, 60, 60), name="solid"))
    scores = (LabelScore("cyst", 0.9), LabelScore("solid", 0.8))
    judged = result(areas=areas)
    judged = msgspec.structs.replace(judged, scores=scores)
    drawn = draw_overlay(pixels, judged)
    for (x, y), colour in (((50, 50), COLOURS[0]), ((160, 50), COLOURS[1])):
        expected = [round(0.75 * 90 + 0.25 * channel) for channel in colour]
        assert np.abs(drawn[y, x].astype(int) - expected).max() <= 1
    below = drawn[120:].reshape(-1, 3)
    assert all((below == colour).all(axis=1).any() for colour in COLOURS[:2])
    assert (drawn[5, 5] == 90).all()
