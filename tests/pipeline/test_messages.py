"""Messages made of results: what is judged reaches the wire by its name alone."""

from __future__ import annotations

from dataclasses import replace

import msgspec
import pytest

from edge.app.envelope import EnvelopeMaker
from edge.config.settings import StreamSettings
from edge.config.uri import parse_uri
from edge.contracts.finding import Finding, ModelRef, RuntimeRef, Verdict
from edge.contracts.frame_result import Result
from edge.contracts.latest_result import LatestResult
from edge.contracts.results import Status
from edge.models.scripted_manifest import scripted_manifest
from edge.pipeline import messages as messages_module
from edge.pipeline.analyser import Analyser
from edge.pipeline.clip_judgement import METHOD, ClipJudgement
from edge.pipeline.guard import RuntimeGuard
from edge.pipeline.messages import Messages, Provenance, fields_in_common
from edge.pipeline.tracker import TrackEvent
from edge.runtimes.scripted import ScriptedRuntime

RUNTIME = RuntimeRef(name="scripted", delegate=None)
STREAM = StreamSettings(name="s", source="replay://x")


@pytest.fixture
def messages() -> Messages:
    model = ModelRef(name="m", version="1", sha256="00")
    return Messages(EnvelopeMaker("device", "run").fields, Provenance(scripted_manifest(), model, False))


class WiderVerdict(Verdict, frozen=True):
    """As if a field had been added to `Verdict`."""

    depth_mm: float | None = None


class WiderResult(Result, frozen=True, kw_only=True):
    """The same field, as `Result` would inherit it."""

    depth_mm: float | None = None


class WiderFinding(Finding, frozen=True, kw_only=True):
    """As if it had been added to `Finding`."""

    depth_mm: float | None = None


def test_a_field_added_to_verdict_and_finding_arrives_in_the_finding(messages, make, monkeypatch):
    manifest = scripted_manifest()
    runtime = ScriptedRuntime(parse_uri("scripted://"), None, manifest)
    analyser = Analyser(manifest, RuntimeGuard([lambda: runtime], lambda _: None, 1.0))

    def decide(*_, **__):
        return WiderVerdict(Status.FINDING, malignancy=0.7, suspicious=True, lesions=(make.lesion(),), depth_mm=12.5)

    monkeypatch.setattr("edge.pipeline.analyser.decide", decide)
    monkeypatch.setattr("edge.pipeline.analyser.Result", WiderResult)
    monkeypatch.setattr(messages_module, "Finding", WiderFinding)
    frame = make.frame(0)
    result = analyser.analyse(frame)
    analyser.close()
    finding = messages.finding(TrackEvent("new", "f", result.lesions[0], result), frame, STREAM, "exam")
    assert msgspec.json.decode(msgspec.json.encode(finding))["depth_mm"] == 12.5


def test_every_judged_field_is_a_field_of_the_finding():
    assert set(Verdict.__struct_fields__) <= set(Finding.__struct_fields__)
    assert set(Verdict.__struct_fields__) <= set(Result.__struct_fields__)


def test_messages_carry_the_values_of_the_result(messages, make):
    result = msgspec.structs.replace(
        make.finding(3, make.lesion(), make.lesion(40)),
        runtime=RUNTIME,
        uncertainty=0.3,
        latency_ms={"total": 8.5},
        call_uncertain=True,
    )
    second = result.lesions[1]
    frame = replace(make.frame(3), captured_ns=0)
    finding = messages.finding(TrackEvent("update", "f", second, result), frame, STREAM, "exam")
    assert finding.lesions == [second], "one track, one lesion"
    assert (finding.frame.seq, finding.frame.age_ms) == (3, 8.5)
    latest = messages.latest_result(result, "exam")
    assert latest.lesions == list(result.lesions)
    assert (latest.frame_seq, latest.exam_id) == (3, "exam")
    assert latest.areas is msgspec.UNSET, "a lesion model has none"
    for message in (finding, latest):
        common = {
            name: value
            for name, value in fields_in_common(result, type(message)).items()
            if name not in ("lesions", "areas")
        }
        assert {name: getattr(message, name) for name in common} == common
        assert msgspec.json.decode(msgspec.json.encode(message), type=type(message)) == message


def test_what_a_result_has_in_common_with_each_message(make):
    shared = {
        "stream",
        "status",
        "reason",
        "malignancy",
        "suspicious",
        "call_uncertain",
        "lesions",
        "image_size",
        "latency_ms",
        "runtime",
    }
    assert set(fields_in_common(make.clear(), LatestResult)) >= shared | {"frame_seq"}
    assert set(fields_in_common(make.clear(), Finding)) >= shared | {"uncertainty", "region"}
    assert "captured_ns" not in fields_in_common(make.clear(), Finding), "on the wire it is a date: captured_at"


@pytest.mark.parametrize(("lifecycle", "told"), [("new", False), ("update", True), ("end", True)])
def test_update_and_end_tell_what_all_frames_say(messages, make, lifecycle, told):
    clip = ClipJudgement()
    for seq, malignancy in enumerate((0.6, 0.7, 0.8)):
        result = msgspec.structs.replace(make.finding(seq, malignancy=malignancy), runtime=RUNTIME)
        clip.add(result.lesions[0], result, seq * 500_000_000)
    event = TrackEvent(lifecycle, "f", result.lesions[0], result, clip=clip)
    finding = messages.finding(event, make.frame(2), STREAM, "exam")
    if not told:
        assert finding.clip is None
        return
    assert (finding.clip.frames, finding.clip.seconds, finding.clip.method) == (3, 1.0, METHOD)
    assert finding.clip.malignancy == pytest.approx(0.7, abs=0.01)
    assert finding.clip.uncertainty == pytest.approx(0.3, abs=0.01)
    assert finding.clip.best_frame in (0, 1, 2)
