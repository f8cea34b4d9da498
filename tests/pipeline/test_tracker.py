"""The lesion tracker: matching, confirmation over seconds, updates, and ends with hysteresis."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edge.config.settings import RuntimeSettings, Settings
from edge.config.tracking_settings import AT_ONCE, ConfirmSettings, TrackingSettings
from edge.contracts.results import Reason, Status
from edge.pipeline.same_lesion import iou
from edge.pipeline.stream_reporter import tracking_of
from edge.pipeline.tracker import Tracker

SECOND = 1_000_000_000
RATE = 30
FIRST_FRAME = TrackingSettings(confirm=AT_ONCE, gone_after_s=0.1)


def told(events):
    return [(e.lifecycle, e.end_reason) for e in events]


def run(tracker, results, rate=RATE, start=0):
    """Events of all results, one every ``1 / rate`` seconds."""
    return [e for k, result in enumerate(results, start) for e in tracker.update(result, k * SECOND // rate)]


def news(events):
    return sum(event.lifecycle == "new" for event in events)


def pattern(make, text):
    """Results of a text: ``F`` finding, ``c`` clear, ``w`` wrong anatomy, ``.`` black."""
    makers = {
        "F": make.finding,
        "c": make.clear,
        "w": lambda seq: make.unjudged(seq, Status.ABSTAINED, Reason.WRONG_ANATOMY),
        ".": make.unjudged,
    }
    return [makers[letter](seq) for seq, letter in enumerate(text)]


def test_without_confirmation_a_lesion_is_new_then_silent_then_gone(make):
    tracker = Tracker(FIRST_FRAME)
    first = tracker.update(make.finding(0), 0)
    assert told(first) == [("new", None)]
    assert run(tracker, [make.finding(1), make.clear(2), make.clear(3)], start=1) == []
    last = tracker.update(make.clear(4), 4 * SECOND // RATE)
    assert told(last) == [("end", "gone")]
    assert last[0].finding_id == first[0].finding_id
    assert last[0].result.frame_seq == 1  # the end repeats what was last said of the lesion


@pytest.mark.parametrize("rate", [10, 15, 25, 30, 60, 120])
def test_when_a_lesion_is_new_is_a_matter_of_seconds_not_of_frames(make, rate):
    tracker = Tracker(TrackingSettings(confirm=ConfirmSettings(seconds=0.6, share=0.7)))
    at = [k / rate for k in range(2 * rate) if tracker.update(make.finding(k), k * SECOND // rate)]
    assert at[0] == pytest.approx(0.42, abs=1 / rate + 1e-6)


def test_a_lesion_that_is_never_seen_surely_takes_longer_and_is_told_all_the_same(make):
    tracker = Tracker(TrackingSettings(confirm=ConfirmSettings(seconds=1.0, share=0.6)))
    weak = msgspec.structs.replace(make.lesion(), score=0.6)
    at = [k / RATE for k in range(4 * RATE) if tracker.update(make.finding(k, weak), k * SECOND // RATE)]
    assert at[0] == pytest.approx(2.7, abs=0.1)


@pytest.mark.parametrize("rate", [10, 15, 30, 60])
def test_a_lesion_seen_in_too_few_frames_of_every_window_is_never_new(make, rate):
    tracker = Tracker(TrackingSettings(confirm=ConfirmSettings(seconds=0.6, share=0.7)))
    assert run(tracker, pattern(make, "Fcc" * 200), rate) == []


def test_frames_that_were_not_judged_are_no_evidence(make):
    tracker = Tracker(TrackingSettings(confirm=ConfirmSettings(seconds=0.6, share=0.7, gate_s=0)))
    assert run(tracker, pattern(make, "F.." * 100)) == []


def test_the_gate_of_the_neighbouring_seconds_counts_not_that_of_one_frame(make):
    confirm = ConfirmSettings(seconds=0.5, share=0.6, gate_s=2.0)
    passes = "w" * 50 + "F" * 18 + "w" * 40 + "F" * 18 + "w" * 40
    assert run(Tracker(TrackingSettings(confirm=confirm)), pattern(make, passes)) == []
    without = TrackingSettings(confirm=msgspec.structs.replace(confirm, gate_s=0), gone_after_s=0.5)
    assert news(run(Tracker(without), pattern(make, passes))) == 2
    one_refused = "F" * 8 + "w" + "F" * 30  # and a single refusal takes nothing away
    assert news(run(Tracker(TrackingSettings(confirm=confirm)), pattern(make, one_refused))) == 1


def test_a_still_is_told_at_once_however_long_the_confirmation(make):
    tracker = Tracker(TrackingSettings(confirm=ConfirmSettings(seconds=5)))
    assert told(tracker.update(make.finding(0), 0, still=True)) == [("new", None)]


@pytest.mark.parametrize(("reason", "expected"), [
    ("clip_changed", [("new", None), ("end", "clip_changed")]),
    ("stream_ended", [("new", None), ("end", "stream_ended")]),
    ("exam_changed", []),
    ("stopped", []),
])  # fmt: skip
def test_a_clip_too_short_to_confirm_anything_is_judged_by_what_there_was(make, reason, expected):
    tracker = Tracker(TrackingSettings(confirm=ConfirmSettings(seconds=1.0, share=0.6)))
    assert run(tracker, pattern(make, "FFFcF")) == []
    assert told(tracker.end_all(reason)) == expected
    assert run(tracker, pattern(make, "Fcccc")) == []
    assert tracker.end_all(reason) == []  # in too few of its frames


@pytest.mark.parametrize("frames", [2, 20, 60, 98])
def test_a_weak_lesion_in_all_of_a_clip_too_short_for_it_is_told_at_its_end(make, frames):
    weak = msgspec.structs.replace(make.lesion(), score=0.75)
    tracker = Tracker(TrackingSettings())
    results = [make.finding(k, weak) if k < 0.95 * frames else make.clear(k) for k in range(frames)]
    news_before = news(run(tracker, results))
    assert news_before + news(tracker.end_all("stream_ended")) == 1
    assert run(tracker, [make.finding(k, weak) if k % 2 else make.clear(k) for k in range(60)]) == []
    assert tracker.end_all("stream_ended") == []


@pytest.mark.parametrize("every_s", [0.35, 0.9, 1.0, 1.2, 2.0, 5.0, 60.0])
@pytest.mark.parametrize("score", [0.6, 0.95])
def test_a_lesion_is_told_in_clips_of_very_few_frames_a_second(make, every_s, score):
    lesion = msgspec.structs.replace(make.lesion(), score=score)
    tracker, step = Tracker(TrackingSettings()), round(every_s * SECOND)
    assert news(e for k in range(12) for e in tracker.update(make.finding(k, lesion), k * step)) == 1
    (end,) = tracker.end_all("stream_ended")
    assert end.clip.seconds == pytest.approx(11 * every_s)
    assert not [
        e for k in range(12) for e in tracker.update(make.finding(k) if k % 3 == 0 else make.clear(k), k * step)
    ]
    tracker.end_all("clip_changed")
    for k in range(3):  # and where there are only so few
        tracker.update(make.finding(k, lesion), k * step)
    assert [e.lifecycle for e in tracker.end_all("stream_ended")][-1:] == ["end"]


def test_without_confirmation_the_gate_of_the_seconds_before_holds_nothing_back(make):
    tracker = Tracker(TrackingSettings(confirm=ConfirmSettings(seconds=0)))
    weak = msgspec.structs.replace(make.lesion(), score=0.3)
    run(tracker, pattern(make, "w" * 20))
    assert news(tracker.update(make.finding(20, weak), 20 * SECOND // RATE)) == 1


def test_what_is_skipped_of_a_clip_ends_a_lesion_only_where_it_is_long(make):
    tracker = Tracker(TrackingSettings(gone_after_s=1.0))
    run(tracker, pattern(make, "F" * 30))
    tracker.skip()
    assert tracker.update(make.finding(30), 31 * SECOND // RATE) == []
    tracker.skip()
    assert told(tracker.update(make.finding(31), 10 * SECOND)) == [("end", "not_judged")]
    assert tracker.tracks() == 1  # and begins anew


def test_the_window_of_frames_does_not_grow_over_hours(make):
    for settings_ in (FIRST_FRAME, TrackingSettings()):
        tracker = Tracker(settings_)
        run(tracker, (make.finding(k) for k in range(3000)))
        (track,) = tracker.shown()
        windows = (track.seen, track.seen_longer, tracker._frames, tracker._frames_longer, tracker._gated)
        assert max(len(window._frames) for window in windows) <= 4 * RATE


def test_a_new_clip_begins_with_no_evidence_of_the_last(make):
    tracker = Tracker(TrackingSettings(confirm=ConfirmSettings(seconds=1.0, share=0.5)))
    run(tracker, pattern(make, "F" * 10))
    tracker.end_all("exam_changed")
    assert run(tracker, pattern(make, "F" * 10)) == []


def test_a_lesion_that_blinks_or_is_lost_for_a_moment_keeps_its_id(make):
    tracker = Tracker(TrackingSettings(gone_after_s=1.0))
    events = run(tracker, pattern(make, "F" * 30 + "c" * 25 + "F" * 10 + "." * 25 + "F" * 10 + "cF" * 20))
    assert news(events) == 1
    assert not [e for e in events if e.lifecycle == "end"]


def test_pieces_of_a_lesion_are_no_lesions_of_their_own(make):
    tracker = Tracker(TrackingSettings())
    whole, left, right = make.lesion(10, 10, 40), make.lesion(10, 10, 18), make.lesion(32, 30, 18)
    results = [make.finding(k, whole) for k in range(30)]
    results += [make.finding(30 + k, *((left, right) if k % 6 < 4 else (whole,))) for k in range(120)]
    assert news(run(tracker, results)) == 1


def test_one_frame_after_a_pause_is_not_seconds_without_the_lesion(make):
    tracker = Tracker(TrackingSettings(gone_after_s=1.0))
    run(tracker, pattern(make, "F" * 30))
    assert tracker.update(make.clear(30), 20 * SECOND) == []
    assert told(tracker.update(make.clear(31), 21 * SECOND)) == [("end", "gone")]


def test_a_clock_that_goes_back_ends_nothing_and_confirms_nothing(make):
    tracker = Tracker(TrackingSettings(confirm=ConfirmSettings(seconds=0.5)))
    for k in range(20):
        assert tracker.update(make.finding(k), -k * SECOND) == []


def test_changes_are_updates_against_what_was_published_not_against_the_last_frame(make):
    tracker = Tracker(TrackingSettings(confirm=AT_ONCE, update_malignancy=0.1))
    tracker.update(make.finding(0, malignancy=0.60))
    assert tracker.update(make.finding(1, malignancy=0.66)) == []
    events = tracker.update(make.finding(2, malignancy=0.71))
    assert told(events) == [("update", None)]
    assert events[0].result.malignancy == 0.71


def test_crossing_the_operating_point_is_an_update_however_small(make):
    tracker = Tracker(FIRST_FRAME)
    tracker.update(make.finding(0, malignancy=0.49))
    assert told(tracker.update(make.finding(1, malignancy=0.51))) == [("update", None)]


def test_a_call_that_becomes_uncertain_or_certain_is_an_update_however_small(make):
    tracker = Tracker(FIRST_FRAME)
    (new,) = tracker.update(make.finding(0, malignancy=0.71))
    (doubt,) = tracker.update(make.finding(1, malignancy=0.70, call_uncertain=True))
    assert (doubt.lifecycle, doubt.finding_id, doubt.result.call_uncertain) == ("update", new.finding_id, True)
    assert tracker.update(make.finding(2, malignancy=0.70, call_uncertain=True)) == []
    assert told(tracker.update(make.finding(3, malignancy=0.71))) == [("update", None)]


def test_a_lesion_still_seen_is_told_again_after_a_while(make):
    tracker = Tracker(TrackingSettings(confirm=AT_ONCE, update_every_s=5))
    tracker.update(make.finding(0, captured_ns=0))
    assert tracker.update(make.finding(1, captured_ns=4_900_000_000)) == []
    assert told(tracker.update(make.finding(2, captured_ns=5_000_000_000))) == [("update", None)]


def test_two_lesions_are_two_findings(make):
    tracker = Tracker(FIRST_FRAME)
    events = tracker.update(make.finding(0, make.lesion(0), make.lesion(50)))
    assert len({e.finding_id for e in events}) == 2
    assert tracker.update(make.finding(1, make.lesion(50), make.lesion(0))) == []


def test_unjudged_frames_end_a_lesion_as_not_judged_never_as_gone(make):
    tracker = Tracker(FIRST_FRAME)
    tracker.update(make.finding(0), 0)
    hung = [make.unjudged(1), *(make.unjudged(k, Status.NO_RESULT, Reason.RUNTIME_HUNG) for k in (2, 3))]
    assert told(run(tracker, hung, start=1)) == [("end", "not_judged")]


def test_a_lesion_that_was_never_told_of_ends_in_silence(make):
    tracker = Tracker(TrackingSettings())
    run(tracker, pattern(make, "FFF"))
    assert tracker.end_all("exam_changed") == []
    assert run(tracker, pattern(make, "FFF" + "c" * 90)) == []


def test_end_all_ends_each_once(make):
    tracker = Tracker(FIRST_FRAME)
    tracker.update(make.finding(0, make.lesion(0), make.lesion(50)))
    assert told(tracker.end_all("exam_changed")) == [("end", "exam_changed")] * 2
    assert tracker.end_all("stopped") == []


def test_the_frames_of_a_track_are_joined_and_the_best_is_named(make):
    tracker = Tracker(FIRST_FRAME)
    sure = msgspec.structs.replace(make.lesion(), score=0.95)
    cut = msgspec.structs.replace(make.lesion(0, 10), score=0.99)  # at the edge of the picture
    tracker.update(make.finding(0, malignancy=0.5), 0)
    tracker.update(sized(make.finding(1, sure, malignancy=0.8)), SECOND)
    tracker.update(sized(make.finding(2, cut, malignancy=0.5)), 2 * SECOND)
    (end,) = tracker.end_all("stream_ended")
    assert (end.clip.frames, end.clip.seconds, end.clip.best.frame_seq) == (3, 2.0, 1)
    assert 0.5 < end.clip.malignancy < 0.8
    assert tracker.best_frames() == set()


def sized(result):
    return msgspec.structs.replace(result, image_size=(96, 80))


boxes = st.tuples(st.integers(-50, 50), st.integers(-50, 50), st.integers(0, 60), st.integers(0, 60))


@given(boxes, boxes)
def test_iou_is_symmetric_and_between_0_and_1(a, b):
    assert iou(a, b) == iou(b, a)
    assert 0.0 <= iou(a, b) <= 1.0
    if a[2] and a[3]:
        assert iou(a, a) == 1.0


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])  # the makers keep no state
@given(
    what=st.lists(st.sampled_from("Fcw."), max_size=60).map("".join),
    steps=st.lists(st.integers(-1, 2 * SECOND), min_size=60, max_size=60),
    seconds=st.sampled_from([0.0, 0.1, 1.0]),
    reason=st.sampled_from(["stopped", "clip_changed"]),
)
def test_every_new_has_exactly_one_end(make, what, steps, seconds, reason):
    tracker = Tracker(TrackingSettings(confirm=ConfirmSettings(seconds=seconds), gone_after_s=0.5))
    at, events = 0, []
    for result, step in zip(pattern(make, what), steps, strict=False):
        at += step
        events += tracker.update(result, at)
    events += tracker.end_all(reason)
    opened = [e.finding_id for e in events if e.lifecycle == "new"]
    closed = [e.finding_id for e in events if e.lifecycle == "end"]
    assert sorted(opened) == sorted(closed)
    assert len(set(opened)) == len(opened)


@pytest.mark.parametrize("rate", [10, 20, 60])
def test_each_written_answer_is_a_finding_of_its_own_however_often_its_place_comes_again(make, rate):
    settings = Settings(runtime=RuntimeSettings(uri="scripted://?distinct=1"))
    tracker = Tracker(tracking_of(settings))
    places = [(30 * (k % 4), 30 * (k // 4), 20, 20) for k in range(16)]  # as many as the runtime has
    results = [make.finding(k, msgspec.structs.replace(make.lesion(), box=places[k % 16])) for k in range(4 * 16)]
    assert news(run(tracker, results, rate)) == len(results)


def test_written_answers_are_tracked_as_the_configuration_says_where_it_says_so():
    runtime = RuntimeSettings(uri="scripted://")
    for said in (TrackingSettings(gone_after_s=3.0), TrackingSettings(gone_after_frames=90)):
        assert tracking_of(Settings(runtime=runtime, tracking=said)).gone_s == 3.0
    assert tracking_of(Settings()).gone_s == TrackingSettings().gone_after_s
