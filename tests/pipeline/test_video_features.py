"""Features of frames over time, and the recurrent step's states on the host: between frames, exams and clips."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from recurrent_steps import clip_step

from edge.config.tracking_settings import TrackingSettings
from edge.contracts.clip_model import FEATURES, GOLDEN_STEPS, STEP_NS
from edge.contracts.errors import ModelError
from edge.contracts.frame_result import Result
from edge.contracts.region import Region
from edge.contracts.results import Lesion, Reason, Status
from edge.pipeline.clip_states import ClipState, ClipStates
from edge.pipeline.feature_rows import FRAME, FeatureRows
from edge.pipeline.tracker import Tracker
from edge.pipeline.video_features import MAX_SECONDS, FeatureMemory, has_features, surest_lesion

SECOND = 1_000_000_000
EVERY = SECOND // 15


def lesion(x: int, y: int = 40, side: int = 20, score: float = 0.9, sharp: float = 0.4) -> Lesion:
    centre = (x + side / 2, y + side / 2)
    return Lesion(
        box=(x, y, side, side), outline=[], centre=centre, score=score, descriptors={"margin_sharpness": sharp}
    )


def seen(*lesions: Lesion, p: float = 0.7, number: int = 0) -> Result:
    return Result(
        stream="s", frame_seq=number, captured_ns=0, image_size=(200, 100), status=Status.FINDING, malignancy=p,
        suspicious=p >= 0.5, lesions=lesions,
    )  # fmt: skip


def without(p: float = 0.1, number: int = 0) -> Result:
    return Result(stream="s", frame_seq=number, captured_ns=0, image_size=(200, 100), status=Status.CLEAR, malignancy=p)


def refused(reason: Reason, status: Status = Status.ABSTAINED, number: int = 0) -> Result:
    return Result(stream="s", frame_seq=number, captured_ns=0, image_size=(200, 100), status=status, reason=reason)


def named(vector: tuple[float, ...]) -> dict[str, float]:
    return dict(zip(FEATURES, vector, strict=True))


def test_a_vector_says_what_the_contract_says():
    memory = FeatureMemory()
    first = named(memory.vector(seen(lesion(50)), lesion(50), 0))
    assert first["logit"] == pytest.approx(np.log(0.7 / 0.3))
    assert (first["presence"], first["sharpness"], first["motion"], first["seconds"]) == (0.9, 0.4, 0, 0)
    assert first["area"] == pytest.approx((20 * 20 / (200 * 100)) ** 0.5)
    second = named(memory.vector(seen(lesion(60)), lesion(60), SECOND // 2))
    assert (second["motion"], second["seconds"]) == (pytest.approx(10 / 200), 0.5)
    lost = named(memory.vector(without(), None, SECOND))
    assert [lost[name] for name in ("presence", "area", "sharpness", "motion")] == [0, 0, 0, 0]
    assert lost["logit"] == pytest.approx(np.log(0.1 / 0.9))
    again = named(memory.vector(seen(lesion(90)), lesion(90), 2 * SECOND))
    assert again["motion"] == 0  # the frame before did not show it
    assert again["anatomy"] == 1


def test_areas_and_motion_are_shares_of_what_was_judged():
    whole = seen(lesion(50))
    part = Result(**{**{f: getattr(whole, f) for f in whole.__struct_fields__}, "region": Region((40, 20, 80, 60))})
    memory = FeatureMemory()
    memory.vector(part, lesion(50), 0)
    vector = named(memory.vector(part, lesion(58), EVERY))
    assert vector["area"] == pytest.approx((20 * 20 / (80 * 60)) ** 0.5)
    assert vector["motion"] == pytest.approx(8 / 80)


@pytest.mark.parametrize("reason", [Reason.WRONG_ANATOMY, Reason.NOT_ULTRASOUND])
def test_what_the_gate_refuses_is_told_from_what_is_not_judged_for_another_reason(reason):
    assert named(FeatureMemory().vector(refused(reason), None, 0))["anatomy"] == 0
    assert named(FeatureMemory().vector(refused(Reason.BLURRED), None, 0))["anatomy"] == 1


def test_a_frame_that_was_not_computed_has_no_features_and_the_pause_counts():
    assert not has_features(refused(Reason.DECODE_ERROR, Status.NO_RESULT))
    memory = FeatureMemory()
    memory.vector(without(), None, 0)
    assert named(memory.vector(without(), None, 3 * SECOND))["seconds"] == 3
    assert named(memory.vector(without(), None, 9000 * SECOND))["seconds"] == MAX_SECONDS
    assert named(memory.vector(without(), None, 0))["seconds"] == 0  # time never goes back


def test_a_frame_is_described_by_its_surest_lesion():
    assert surest_lesion(seen(lesion(10, score=0.6), lesion(90, score=0.8))).score == 0.8
    assert surest_lesion(without()) is None


class Spy:
    """A step that remembers what it was given."""

    def __init__(self) -> None:
        self.batches: list[np.ndarray] = []
        self._step = clip_step()
        self.manifest = self._step.manifest
        self.begin = self._step.begin

    def step(self, features, states):
        self.batches.append(features)
        return self._step.step(features, states)


def test_all_tracks_of_a_frame_are_one_batch_and_steps_are_not_taken_faster_than_they_say():
    spy = Spy()
    tracker = Tracker(TrackingSettings(), spy)
    for number in range(30):
        tracker.update(seen(lesion(20), lesion(120), number=number), number * SECOND // 60)
    assert {batch.shape for batch in spy.batches} == {(3, len(FEATURES))}
    assert len(spy.batches) == pytest.approx(30 / 60 * SECOND / (SECOND / 15), abs=1)
    assert all(batch[0, 5] * SECOND >= STEP_NS for batch in spy.batches[1:])


def test_a_frame_without_a_result_takes_no_step():
    spy = Spy()
    states = ClipStates(spy)
    states.advance([], refused(Reason.FAILED, Status.NO_RESULT), 0)
    assert spy.batches == []
    states.advance([], without(), 0)
    assert len(spy.batches) == 1


def test_time_that_goes_back_within_a_clip_stops_no_step():
    spy = Spy()
    states = ClipStates(spy)
    states.advance([], without(), 5 * SECOND)
    states.advance([], without(), SECOND)
    assert len(spy.batches) == 2


def test_the_step_decides_only_what_its_manifest_says():
    frames = [seen(lesion(50), number=n) for n in range(60)]

    def news(**manifest: object) -> tuple[int, set[str]]:
        tracker = Tracker(TrackingSettings(), clip_step(**manifest))
        events = [event for n, frame in enumerate(frames) for event in tracker.update(frame, n * EVERY)]
        methods = {event.clip.method for event in events if event.clip is not None}
        return sum(event.lifecycle == "new" for event in events), methods

    assert news(new_from=None, joins=False) == (1, {"softmax"})
    assert news(new_from=None, joins=True) == (1, {"gru"})
    assert news(new_from=1.0, joins=False)[0] == 0
    assert news(new_from=0.0, joins=False)[0] == 1


def test_the_gate_holds_back_what_the_step_would_tell():
    tracker = Tracker(TrackingSettings(), clip_step(new_from=0.0))
    for number in range(30):
        tracker.update(refused(Reason.WRONG_ANATOMY, number=number), number * EVERY)
    assert tracker.update(seen(lesion(50)), 30 * EVERY) == []


def walk(pattern: str) -> list[Result]:
    """Frames of an exam, a letter each: a lesion left or right, both, none, refused, not computed."""
    found = {
        "l": lambda n: seen(lesion(20 + n % 9, score=0.8), p=0.3, number=n),
        "r": lambda n: seen(lesion(120 - n % 7), p=0.8, number=n),
        "b": lambda n: seen(lesion(20), lesion(120), p=0.6, number=n),
        "c": lambda n: without(number=n),
        "w": lambda n: refused(Reason.WRONG_ANATOMY, number=n),
        "x": lambda n: refused(Reason.FAILED, Status.NO_RESULT, number=n),
    }
    return [found[letter](n) for n, letter in enumerate(pattern)]


def state_bytes(state: ClipState) -> bytes:
    """A state and what was said of it."""
    kept = b"" if state.state is None else state.state.tobytes()
    return repr((state.malignancy, state.presence)).encode() + kept


def told(tracker: Tracker, rows: FeatureRows, pattern: str) -> bytes:
    """All that one exam leaves: its events, the states of its tracks and frames, and its features, in bytes."""
    left = []
    for number, result in enumerate(walk(pattern)):
        for event in tracker.update(result, number * EVERY):
            clip = event.clip
            left.append(repr((event.lifecycle, event.lesion.box, clip.malignancy, clip.frames, clip.seconds)).encode())
        left += [state_bytes(track.state) for track in tracker.open_tracks()]
        left.append(state_bytes(tracker.frame_state()))
        left.append(np.array([v for _, v in rows.rows(tracker, result, number * EVERY)], np.float64).tobytes())
    ended = tracker.end_all("exam_changed")
    left += [repr((event.lifecycle, event.lesion.box, event.clip.malignancy)).encode() for event in ended]
    rows.begin_anew()
    return b"|".join(left)


@settings(max_examples=25, deadline=None)
@given(st.text("lrbcwx", max_size=40), st.text("lrbcwx", max_size=40))
def test_two_exams_in_either_order_give_the_same_bytes(first, second):
    """Nothing about one patient reaches the next: neither by tracks nor by states, features or a batch's other rows."""
    step = clip_step(new_from=0.4, joins=True)

    def both(one: str, other: str) -> tuple[bytes, bytes]:
        tracker, rows = Tracker(TrackingSettings(), step), FeatureRows()
        return told(tracker, rows, one), told(tracker, rows, other)

    a, b = both(first, second)
    d, c = both(second, first)
    assert (a, b) == (c, d)


def test_feature_rows_name_each_track_and_begin_anew():
    tracker, rows = Tracker(TrackingSettings()), FeatureRows()
    for number in range(3):
        tracker.update(seen(lesion(20), lesion(120)), number * EVERY)
        found = rows.rows(tracker, seen(lesion(20), lesion(120)), number * EVERY)
    assert [name == FRAME for name, _ in found] == [True, False, False]
    assert len({name for name, _ in found}) == 3
    assert named(found[0][1])["seconds"] == pytest.approx(EVERY / SECOND)
    rows.begin_anew()
    tracker.end_all("clip_changed")
    tracker.update(without(), 0)
    assert named(rows.rows(tracker, without(), 0)[0][1])["seconds"] == 0


def test_120_fed_back_steps_give_the_golden_bytes_and_another_weight_does_not():
    step = clip_step()
    golden = step_golden()
    step.require_golden(golden)
    for name in ("h", "malignancy", "presence"):
        changed = {key: value.copy() for key, value in golden.items()}
        changed[name][GOLDEN_STEPS - 1, 3, 0] ^= 1
        with pytest.raises(ModelError, match=f"{name} differs at step 119"):
            step.require_golden(changed)


def step_golden() -> dict[str, np.ndarray]:
    from recurrent_steps import clip_model

    return clip_model().golden


def test_a_row_does_not_depend_on_the_other_rows_nor_on_how_many_there_are():
    step, rng = clip_step(), np.random.default_rng(0)
    features = rng.normal(0, 0.5, (19, len(FEATURES))).astype(np.float32)
    states = rng.integers(-128, 128, (19, len(step.begin())), dtype=np.int8)
    whole = step.step(features, states)
    for row in (0, 7, 8, 18):
        alone = step.step(features[row : row + 1], states[row : row + 1])
        assert all(np.array_equal(a[row : row + 1], b) for a, b in zip(whole, alone, strict=True))


def test_features_beyond_their_scale_are_kept_at_its_end():
    step = clip_step()
    far, end = np.full((1, len(FEATURES)), 1e9, np.float32), np.full((1, len(FEATURES)), 6.0, np.float32)
    assert np.array_equal(step.quantise(far), step.quantise(end))
    assert np.array_equal(step.quantise(-far), step.quantise(-end))


def test_states_begin_anew_with_each_clip():
    states = ClipStates(clip_step())
    states.advance([], seen(lesion(20)), 0)
    assert states.frame.state is not None
    states.begin_anew()
    assert states.frame == ClipState()
