"""The lesion tracker: matching, updates and ends with hysteresis."""

from __future__ import annotations

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edge.config.settings import TrackingSettings
from edge.contracts.results import Reason, Status
from edge.pipeline.tracker import Tracker, iou


def told(events):
    return [(e.lifecycle, e.end_reason) for e in events]


def test_a_lesion_is_new_then_silent_then_gone(make):
    tracker = Tracker(TrackingSettings(gone_after_frames=3))
    first = tracker.update(make.finding(0))
    assert told(first) == [("new", None)]
    assert tracker.update(make.finding(1)) == []
    assert tracker.update(make.clear(2)) == []
    assert tracker.update(make.clear(3)) == []
    last = tracker.update(make.clear(4))
    assert told(last) == [("end", "gone")]
    assert last[0].finding_id == first[0].finding_id
    assert last[0].result.frame_seq == 1  # the end repeats what was last said of the lesion


def test_a_lesion_that_blinks_keeps_its_id(make):
    tracker = Tracker(TrackingSettings(gone_after_frames=3))
    tracker.update(make.finding(0))
    tracker.update(make.clear(1))
    assert tracker.update(make.finding(2)) == []


def test_changes_are_updates_against_what_was_published_not_against_the_last_frame(make):
    tracker = Tracker(TrackingSettings(update_malignancy=0.1))
    tracker.update(make.finding(0, malignancy=0.60))
    assert tracker.update(make.finding(1, malignancy=0.66)) == []
    events = tracker.update(make.finding(2, malignancy=0.71))
    assert told(events) == [("update", None)]
    assert events[0].result.malignancy == 0.71


def test_crossing_the_operating_point_is_an_update_however_small(make):
    tracker = Tracker(TrackingSettings())
    tracker.update(make.finding(0, malignancy=0.49))
    assert told(tracker.update(make.finding(1, malignancy=0.51))) == [("update", None)]


def test_a_call_that_becomes_uncertain_or_certain_is_an_update_however_small(make):
    tracker = Tracker(TrackingSettings())
    (new,) = tracker.update(make.finding(0, malignancy=0.71))
    (doubt,) = tracker.update(make.finding(1, malignancy=0.70, call_uncertain=True))
    assert (doubt.lifecycle, doubt.finding_id, doubt.result.call_uncertain) == ("update", new.finding_id, True)
    assert tracker.update(make.finding(2, malignancy=0.70, call_uncertain=True)) == []
    assert told(tracker.update(make.finding(3, malignancy=0.71))) == [("update", None)]


def test_a_lesion_still_seen_is_told_again_after_a_while(make):
    tracker = Tracker(TrackingSettings(update_every_s=5))
    tracker.update(make.finding(0, captured_ns=0))
    assert tracker.update(make.finding(1, captured_ns=4_900_000_000)) == []
    assert told(tracker.update(make.finding(2, captured_ns=5_000_000_000))) == [("update", None)]


def test_two_lesions_are_two_findings(make):
    tracker = Tracker(TrackingSettings())
    events = tracker.update(make.finding(0, make.lesion(0), make.lesion(50)))
    assert len({e.finding_id for e in events}) == 2
    assert tracker.update(make.finding(1, make.lesion(50), make.lesion(0))) == []


def test_unjudged_frames_end_a_lesion_as_not_judged_never_as_gone(make):
    tracker = Tracker(TrackingSettings(gone_after_frames=2))
    tracker.update(make.finding(0))
    assert tracker.update(make.unjudged(1)) == []
    hung = make.unjudged(2, Status.NO_RESULT, Reason.RUNTIME_HUNG)
    assert told(tracker.update(hung)) == [("end", "not_judged")]


def test_end_all_ends_each_once(make):
    tracker = Tracker(TrackingSettings())
    tracker.update(make.finding(0, make.lesion(0), make.lesion(50)))
    assert told(tracker.end_all("exam_changed")) == [("end", "exam_changed")] * 2
    assert tracker.end_all("stopped") == []


boxes = st.tuples(st.integers(-50, 50), st.integers(-50, 50), st.integers(0, 60), st.integers(0, 60))


@given(boxes, boxes)
def test_iou_is_symmetric_and_between_0_and_1(a, b):
    assert iou(a, b) == iou(b, a)
    assert 0.0 <= iou(a, b) <= 1.0
    if a[2] and a[3]:
        assert iou(a, a) == 1.0


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])  # the makers keep no state
@given(what=st.lists(st.sampled_from(["finding", "clear", "unjudged"]), max_size=60))
def test_every_new_has_exactly_one_end(make, what):
    makers = {"finding": make.finding, "clear": make.clear, "unjudged": make.unjudged}
    tracker = Tracker(TrackingSettings(gone_after_frames=2))
    events = [e for seq, kind in enumerate(what) for e in tracker.update(makers[kind](seq))]
    events += tracker.end_all("stopped")
    opened = [e.finding_id for e in events if e.lifecycle == "new"]
    closed = [e.finding_id for e in events if e.lifecycle == "end"]
    assert sorted(opened) == sorted(closed)
    assert len(set(opened)) == len(opened)
