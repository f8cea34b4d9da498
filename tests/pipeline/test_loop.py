"""The whole flow in one process: frames in, messages out, with the scripted runtime and the fakes of every port."""

from __future__ import annotations

import time
from dataclasses import replace

import msgspec
import pytest

from edge.app.compose import choose_model, make_guard
from edge.app.envelope import EnvelopeMaker
from edge.app.frame_link import MemoryFrameLink
from edge.config.settings import CalibrationSettings, RuntimeSettings, Settings, StreamSettings
from edge.config.tracking_settings import ConfirmSettings, TrackingSettings
from edge.contracts.coverage import Coverage
from edge.contracts.errors import UsageError
from edge.contracts.finding import Finding, ModelRef, RuntimeRef
from edge.contracts.frame_result import Result
from edge.contracts.frames import SourceEvent
from edge.contracts.region import Region
from edge.contracts.results import Reason, Status
from edge.models.scripted_manifest import scripted_manifest
from edge.pipeline import loop
from edge.pipeline.analyser import Analyser
from edge.pipeline.capture import FrameCapture
from edge.pipeline.messages import Messages, Provenance
from edge.pipeline.reporter import Reporter
from edge.pipeline.stream_metadata import add_stream_metadata
from edge.pipeline.stream_reporter import StreamReporter
from edge.scan_area import FINDER_VERSION
from edge.sources.replay import ReplaySource

END = SourceEvent("ended", Reason.STREAM_ENDED)
SCRIPTED = RuntimeSettings(uri="scripted://")


def run_loop(
    items, *, runtime="scripted://", isolated=False, timeout_s=2.0, fallback=(), beats=None, live=False, **stream
):
    settings = Settings(
        streams=[StreamSettings(name="s", source="replay://x", **stream)],
        runtime=RuntimeSettings(uri=runtime, timeout_s=timeout_s, fallback=list(fallback)),
        tracking=TrackingSettings(gone_after_frames=2),
    )
    model = choose_model(settings)
    analyser = Analyser(model.manifest, make_guard(settings, model, isolated=isolated))
    frame_link = MemoryFrameLink()
    messages = Messages(EnvelopeMaker("device", "run").fields, Provenance(model.manifest, model.ref, False))
    capture = FrameCapture(
        {"s": ReplaySource.of(items, live=live)}, add_stream_metadata(settings.streams), settings.streams
    )
    beat = None if beats is None else lambda stats: beats.append(analyser.guard.problems)
    reporter = Reporter(settings, messages, frame_link, heartbeat=beat)
    try:
        loop.run(capture, analyser, reporter, lambda: False)
    finally:
        capture.close()
        analyser.close()
    return frame_link, reporter


def durable(frame_link, kind):
    return [message for _, message in frame_link.stored if isinstance(message, kind)]


def test_every_frame_is_answered_and_the_messages_tell_the_story(make):
    frame_link, reporter = run_loop([make.frame(i) for i in range(10)] + [END])
    found = durable(frame_link, Finding)
    assert [f.lifecycle for f in found] == ["new", "end"]
    assert found[1].end_reason == "stream_ended"
    assert found[0].finding_id == found[1].finding_id
    assert found[0].malignancy == pytest.approx(0.8, abs=0.01)
    told = [(c.status, c.reason) for c in durable(frame_link, Coverage)]
    assert told == [
        (Status.NO_RESULT, Reason.STARTING),
        (Status.FINDING, None),
        (Status.NO_RESULT, Reason.STREAM_ENDED),
    ]
    assert durable(frame_link, Coverage)[-1].previous.frames == 10
    assert reporter.stats.snapshot()["frames"] == 10


def test_seq_counts_without_gaps_over_all_durable_messages(make):
    frame_link, _ = run_loop([make.frame(i) for i in range(5)] + [END], runtime="scripted://?distinct=1")
    assert [message.seq for _, message in frame_link.stored] == list(range(1, len(frame_link.stored) + 1))


def test_distinct_answers_are_distinct_findings(make):
    frame_link, _ = run_loop([make.frame(i) for i in range(12)] + [END], runtime="scripted://?distinct=1")
    assert sum(f.lifecycle == "new" for f in durable(frame_link, Finding)) == 12


def test_a_nan_is_no_result_never_clear(make):
    frame_link, reporter = run_loop([make.frame(i) for i in range(3)] + [END], runtime="scripted://?nan_at=2")
    assert (Status.NO_RESULT, Reason.NAN_OUTPUT) in [(c.status, c.reason) for c in durable(frame_link, Coverage)]
    counts = reporter.stats.snapshot()
    assert (counts["finding"], counts["no_result"], counts["clear"]) == (2, 1, 0)


@pytest.mark.slow
@pytest.mark.parametrize(("fault", "reason"), [("die_at", Reason.RUNTIME_LOST), ("hang_at", Reason.RUNTIME_HUNG)])
def test_a_runtime_child_that_fails_mid_frame_costs_that_frame_and_the_next_is_answered(make, fault, reason):
    frame_link, reporter = run_loop(
        [make.frame(i) for i in range(4)] + [END], runtime=f"scripted://?{fault}=3", isolated=True, timeout_s=0.3
    )
    told = [(c.status, c.reason, c.previous.frames if c.previous else 0) for c in durable(frame_link, Coverage)]
    assert told[1:4] == [(Status.FINDING, None, 0), (Status.NO_RESULT, reason, 2), (Status.FINDING, None, 1)]
    counts = reporter.stats.snapshot()
    assert (counts["finding"], counts["no_result"]) == (3, 1)


def test_no_lesion_track_crosses_a_clip_or_an_exam(make):
    frames = [make.frame(0), make.frame(1, clip=1), make.frame(2, clip=1, study="a"), make.frame(3, clip=1, study="b")]
    frame_link, _ = run_loop([*frames, END])
    found = durable(frame_link, Finding)
    assert [(f.lifecycle, f.end_reason) for f in found] == [
        ("new", None),
        ("end", "clip_changed"),
        ("new", None),
        ("end", "exam_changed"),
        ("new", None),
        ("end", "stream_ended"),
    ]
    assert len({f.finding_id for f in found}) == 3
    assert found[2].exam_id == found[3].exam_id != found[4].exam_id


def test_no_lesion_track_crosses_another_geometry(make):
    """Another spacing is another depth: another picture of the body. The finder's version stands in each finding."""
    regions = [(Region(box=(0, 0, 96, 80), mm_x=mm, mm_y=mm, source="igtl"),) for mm in (0.3, 0.3, 0.5, 0.5)]
    frames = [replace(make.frame(number), regions=given) for number, given in enumerate(regions)]
    frame_link, _ = run_loop([*frames, END])
    found = durable(frame_link, Finding)
    assert [(f.lifecycle, f.end_reason) for f in found] == [
        ("new", None),
        ("end", "geometry_changed"),
        ("new", None),
        ("end", "stream_ended"),
    ]
    assert {f.scan_area_finder for f in found} == {FINDER_VERSION}


def test_what_the_configuration_knows_stands_in_the_finding(make):
    calibration = CalibrationSettings(box=(0, 0, 96, 80), mm_x=0.1, mm_y=0.2)
    frame_link, _ = run_loop([make.frame(0), END], laterality="L", calibration=calibration)
    found = durable(frame_link, Finding)[0]
    assert (found.laterality.side, found.laterality.source) == ("L", "config")
    assert found.lesions[0].long_axis_mm is not None
    assert found.region.source == "config"


def test_another_body_part_in_the_configuration_is_wrong_anatomy(make):
    frame_link, _ = run_loop([make.frame(0), END], body_part="HEART")
    assert durable(frame_link, Finding) == []
    assert (Status.ABSTAINED, Reason.WRONG_ANATOMY) in [(c.status, c.reason) for c in durable(frame_link, Coverage)]


def test_a_bug_met_by_one_frame_costs_that_frame(make, monkeypatch):
    monkeypatch.setattr("edge.pipeline.analyser.decide", fails_once())
    frame_link, reporter = run_loop([make.frame(i) for i in range(3)] + [END])
    assert (Status.NO_RESULT, Reason.FAILED) in [(c.status, c.reason) for c in durable(frame_link, Coverage)]
    counts = reporter.stats.snapshot()
    assert (counts["finding"], counts["no_result"]) == (2, 1)


def fails_once():
    from edge.postprocess.decide import decide

    calls = []

    def broken(*args, **options):
        calls.append(args)
        if len(calls) == 2:
            raise RuntimeError("a bug")
        return decide(*args, **options)

    return broken


def test_a_skipped_file_is_no_result_and_the_stream_goes_on(make):
    skipped = SourceEvent("skipped", Reason.DECODE_ERROR, "truncated")
    frame_link, _ = run_loop([make.frame(0), skipped, make.frame(1), END])
    told = [c.status for c in durable(frame_link, Coverage)]
    assert told == [Status.NO_RESULT, Status.FINDING, Status.NO_RESULT, Status.FINDING, Status.NO_RESULT]
    assert [(f.lifecycle, f.end_reason) for f in durable(frame_link, Finding)] == [
        ("new", None),
        ("end", "stream_ended"),
    ]


def test_stopping_answers_the_frame_that_is_under_way_and_ends_its_lesion(make):
    seen = []

    class StopAfterOne:
        def __call__(self):
            return bool(seen)

    settings = Settings(
        streams=[StreamSettings(name="s", source="replay://x")], runtime=RuntimeSettings(uri="scripted://")
    )
    model = choose_model(settings)
    analyser = Analyser(model.manifest, make_guard(settings, model, isolated=False))
    frame_link = MemoryFrameLink()
    messages = Messages(EnvelopeMaker("device", "run").fields, Provenance(model.manifest, model.ref, False))

    class Watching(Reporter):
        def result(self, frame, result):
            seen.append(result)
            super().result(frame, result)

    capture = FrameCapture({"s": ReplaySource.of([make.frame(i) for i in range(100)] + [END])})
    loop.run(capture, analyser, Watching(settings, messages, frame_link), StopAfterOne())
    capture.close()
    assert 1 <= len(seen) <= 2
    assert [f.end_reason for f in durable(frame_link, Finding)] == [None, "stopped"]
    assert durable(frame_link, Coverage)[-1].reason is Reason.STOPPED


def test_a_finding_names_the_runtime_that_really_computed_it(make):
    reports = []
    frame_link, _ = run_loop(
        [make.frame(i) for i in range(6)] + [END],
        runtime="scripted://?distinct=1&hang_at=3",
        fallback=["scripted://?distinct=1&malignancy=0.9"],
        isolated=True,
        timeout_s=0.3,
        beats=reports,
    )
    told = {(f.frame.seq, f.runtime.fallback) for f in durable(frame_link, Finding)}
    assert {(0, False), (1, False), (5, True)} <= told
    assert all(fallback == (seq >= 3) for seq, fallback in told)
    live = [message for suffix, message in frame_link.sent if suffix.startswith("results/")]
    assert live[0].runtime is not None
    told = [(c.status, c.reason) for c in durable(frame_link, Coverage)]
    assert told[1:4] == [(Status.FINDING, None), (Status.NO_RESULT, Reason.RUNTIME_HUNG), (Status.FINDING, None)]
    assert reports[-1] == ["runtime_fallback"]
    assert len(reports) >= 3  # told when it changed, not a second later


def test_a_fall_back_that_there_is_no_plugin_for_is_refused_at_the_start(make):
    with pytest.raises(UsageError, match="abacus"):
        run_loop([END], fallback=["abacus://"])


def test_a_live_source_that_is_lost_is_no_result_until_it_is_there_again(make, monkeypatch):
    monkeypatch.setattr("edge.pipeline.capture.BACKOFF_S", (0.05,))
    lost = SourceEvent("lost", Reason.SOURCE_LOST, "cable")
    frame_link, _ = run_loop([make.frame(0), lost, lost, make.frame(1), END], live=True)
    told = [(c.status, c.reason) for c in durable(frame_link, Coverage)]
    assert told == [
        (Status.NO_RESULT, Reason.STARTING),
        (Status.FINDING, None),
        (Status.NO_RESULT, Reason.SOURCE_LOST),
        (Status.FINDING, None),
        (Status.NO_RESULT, Reason.STREAM_ENDED),
    ]
    assert durable(frame_link, Finding)[1].end_reason == "not_judged"


def test_a_frozen_live_source_is_no_result_and_no_frame_of_it_is_judged(make):
    still = [replace(make.frame(0), seq=i, captured_ns=i * 1_000_000_000) for i in range(8)]
    moving = replace(make.frame(1), seq=8, captured_ns=8_000_000_000)
    gaps = [None] * 3  # so that the loop takes each frame before the next one comes
    script = [item for frame in [*still, moving] for item in (frame, *gaps)]
    frame_link, reporter = run_loop([*script, END], live=True, frozen_after_s=3.0)
    told = [(c.status, c.reason) for c in durable(frame_link, Coverage)]
    assert (Status.NO_RESULT, Reason.FROZEN) in told
    assert told[-2:] == [(Status.FINDING, None), (Status.NO_RESULT, Reason.STREAM_ENDED)]
    judged = reporter.stats.snapshot()["frames"]
    assert judged <= 4  # three before it counted as frozen, and the one that moved


class FullFor:
    """Counts turns: from its ``first`` message on the disk takes none for ``count`` tries."""

    def __init__(self, frame_link: MemoryFrameLink, first: int, count: int) -> None:
        self.frame_link, self.first, self.count, self.tries = frame_link, first, count, 0

    def durable(self, suffix, message):
        self.tries += 1
        self.frame_link.full = self.first <= self.tries < self.first + self.count
        return MemoryFrameLink.durable(self.frame_link, suffix, message)


def test_what_could_not_be_kept_is_a_gap_and_never_the_state_before_it(make, monkeypatch):
    faults = {}
    real = MemoryFrameLink.__init__

    def wired(self, *args, **kwargs):
        real(self, *args, **kwargs)
        faults["full"] = full = FullFor(self, first=4, count=6)
        self.durable = full.durable

    monkeypatch.setattr(f"{__name__}.MemoryFrameLink", type("Wired", (MemoryFrameLink,), {"__init__": wired}))
    frame_link, _ = run_loop([make.frame(i) for i in range(20)] + [END], runtime="scripted://?distinct=1")
    assert faults["full"].tries > 10
    told = [(c.status, c.reason) for c in durable(frame_link, Coverage)]
    assert told == [
        (Status.NO_RESULT, Reason.STARTING),
        (Status.FINDING, None),
        (Status.NO_RESULT, Reason.NOT_RECORDED),
        (Status.FINDING, None),
        (Status.NO_RESULT, Reason.STREAM_ENDED),
    ]
    gap, after = durable(frame_link, Coverage)[2:4]
    assert gap.previous is None, "nothing is known of the time since the last message that was kept"
    assert after.previous.reason is Reason.NOT_RECORDED
    assert after.since_mono_ns >= gap.since_mono_ns
    ended = {f.finding_id for f in durable(frame_link, Finding) if f.lifecycle == "end"}
    told_new = {f.finding_id for f in durable(frame_link, Finding) if f.lifecycle == "new"}
    assert ended <= told_new, "a lesion that was never told does not end"


def test_a_gap_that_begins_in_a_silence_is_not_overwritten_by_the_next_state(make):
    frame_link = MemoryFrameLink()
    model = choose_model(
        settings := Settings(streams=[StreamSettings(name="s", source="replay://x")], runtime=SCRIPTED)
    )
    messages = Messages(EnvelopeMaker("device", "run").fields, Provenance(model.manifest, model.ref, False))
    reporter = Reporter(settings, messages, frame_link)
    start = time.monotonic_ns()

    def clear(number, after_s):
        at = start + int(after_s * 1e9)
        frame = make.frame(number, captured_ns=at)
        return frame, Result(
            stream="s", frame_seq=number, captured_ns=at, status=Status.CLEAR, malignancy=0.1, uncertainty=0.1
        )

    reporter.result(*clear(0, 0))
    frame_link.full = True  # and the loop stands still for longer than a silence
    reporter.result(*clear(1, 6))
    frame_link.full = False
    reporter.tick()
    reporter.result(*clear(2, 8))
    told = [(c.status, c.reason) for c in durable(frame_link, Coverage)]
    assert told == [
        (Status.NO_RESULT, Reason.STARTING),
        (Status.CLEAR, None),
        (Status.NO_RESULT, Reason.NOT_RECORDED),
        (Status.CLEAR, None),
    ]
    last = durable(frame_link, Coverage)[-1]
    assert (last.since_mono_ns - start) / 1e9 == pytest.approx(8, abs=0.1)
    assert last.previous.reason is Reason.NOT_RECORDED


def test_what_a_source_left_out_is_logged_once_a_clip(make, caplog):
    frames = [make.frame(i, clip=i // 2) for i in range(4)]
    noted = [replace(frame, origin=replace(frame.origin, notes=("a part is left out",))) for frame in frames]
    with caplog.at_level("WARNING"):
        run_loop([*noted, END])
    assert [record.getMessage() for record in caplog.records if "left out" in record.getMessage()] == [
        "stream s: a part is left out"
    ] * 2


@pytest.mark.parametrize(
    ("told", "disputed"), [(None, False), ("UNKNOWN", False), ("MAMMA", False), ("CHEST", True), ("THYROID", True)]
)
def test_a_configured_body_part_wins_and_says_whether_the_source_contradicts_it(make, told, disputed):
    frame = make.frame(0)
    frame = replace(frame, origin=replace(frame.origin, body_part=told))
    made = add_stream_metadata([StreamSettings(name="s", source="x", body_part="breast")])(frame).origin
    assert (made.body_part, made.body_part_disputed) == ("BREAST", disputed)


def test_a_configured_calibration_that_no_scanner_has_gives_no_millimetres(make):
    for mm, calibrated in ((0.2, True), (20.0, False)):
        stream = StreamSettings(
            name="s", source="x", calibration=CalibrationSettings(box=(0, 0, 300, 200), mm_x=mm, mm_y=mm)
        )
        (region,) = add_stream_metadata([stream])(make.frame(0)).regions
        assert region.calibrated is calibrated
        assert (region.uncalibrated is None) is calibrated


def test_a_camera_that_is_off_for_days_does_not_fill_the_log(make, caplog):
    settings = Settings(streams=[StreamSettings(name="s", source="camera://0")], runtime=SCRIPTED)
    model = choose_model(settings)
    messages = Messages(EnvelopeMaker("device", "run").fields, Provenance(model.manifest, model.ref, False))
    reporter = Reporter(settings, messages, MemoryFrameLink())
    for _ in range(1000):
        reporter.event("s", SourceEvent("lost", Reason.SOURCE_LOST, "it is off"))
    assert 5 < caplog.text.count("it is off") < 15
    reporter.event("s", SourceEvent("lost", Reason.SOURCE_LOST, "it refuses our name"))
    assert "it refuses our name" in caplog.text


def test_seconds_of_tracking_are_the_clips_own_however_fast_it_is_read(make):
    frames = [replace(make.frame(k), media_ns=k * 40_000_000) for k in range(50)]
    model_settings = Settings(
        streams=[StreamSettings(name="s", source="replay://x")],
        tracking=TrackingSettings(confirm=ConfirmSettings(seconds=0.6, share=0.7)),
    )
    frame_link = MemoryFrameLink()
    manifest = scripted_manifest()
    model = ModelRef(name="m", version="1", sha256="00")
    messages = Messages(EnvelopeMaker("device", "run").fields, Provenance(manifest, model, False))
    stream = StreamReporter(model_settings.streams[0], model_settings, messages, frame_link)
    runtime = RuntimeRef(name="scripted", delegate=None)
    for frame in frames:
        stream.result(frame, msgspec.structs.replace(make.finding(frame.seq), runtime=runtime))
    stream.finish()
    new, end = durable(frame_link, Finding)
    assert new.frame.seq == 11
    assert (end.clip.frames, end.clip.seconds) == (50, 1.96)


def test_the_best_frame_of_an_open_track_is_kept_in_memory_and_let_go_at_its_end(make):
    settings = Settings(streams=[StreamSettings(name="s", source="replay://x")], runtime=SCRIPTED)
    model = ModelRef(name="m", version="1", sha256="00")
    messages = Messages(EnvelopeMaker("device", "run").fields, Provenance(scripted_manifest(), model, False))
    stream = StreamReporter(settings.streams[0], settings, messages, MemoryFrameLink())
    runtime = RuntimeRef(name="scripted", delegate=None)
    for seq, score in enumerate((0.6, 0.9, 0.7, 0.8)):
        lesion = msgspec.structs.replace(make.lesion(), score=score)
        result = msgspec.structs.replace(make.finding(seq, lesion), runtime=runtime, image_size=(96, 80))
        stream.result(make.frame(seq, captured_ns=seq * 40_000_000), result)
    kept = stream.best_frame(1)
    assert kept is not None
    assert kept.seq == 1
    assert [stream.best_frame(seq) for seq in (0, 2, 3)] == [None] * 3
    stream.event(END)
    assert stream.best_frame(1) is None
