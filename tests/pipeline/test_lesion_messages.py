"""Messages of a lesion model are, byte for byte, what they were before there were other kinds of model."""

from __future__ import annotations

import hashlib
import platform

import msgspec
import numpy as np
import pytest

from edge.config.settings import StreamSettings
from edge.config.uri import parse_uri
from edge.contracts.finding import ModelRef, RuntimeRef
from edge.contracts.frame_report import FrameReport
from edge.contracts.frame_result import Result
from edge.contracts.frames import Frame, FrameOrigin
from edge.contracts.region import Region
from edge.contracts.tensors import Tensor
from edge.daemon.publisher.state_and_health import other_kind, other_topics
from edge.models.scripted_manifest import scripted_manifest
from edge.pipeline.coverage import CoverageTracker
from edge.pipeline.messages import Messages, Provenance
from edge.pipeline.tracker import TrackEvent
from edge.postprocess.decide import decide
from edge.preprocess.letterbox import fit
from edge.runtimes.scripted import ScriptedRuntime

BEFORE = "d998770bbcb3177546da3df4b2ca6c68b766aa19a2cf4e6f7acfdaaeadf1878b"
"""SHA-256 of the messages below as the version before other kinds of model made them."""
STAMP = {
    "device": "d",
    "boot_id": "b",
    "run_id": "r",
    "mono_ns": 5_000_000_000,
    "at": "2030-01-31T12:30:01.250000Z",
    "clock": "synced",
}
REGIONS = (Region(box=(40, 20, 560, 440), mm_x=0.1, mm_y=0.1, source="config"),)


def all_messages() -> list[msgspec.Struct]:
    """Latest result, finding and coverage of three frames with a lesion."""
    manifest = scripted_manifest()
    model = ModelRef(name="scripted", version="1", sha256="00")
    messages = Messages(lambda: STAMP, Provenance(manifest, model, False))
    runtime = ScriptedRuntime(parse_uri("scripted://?distinct=1"), None, manifest)
    pixels = (np.indices((480, 640)).sum(0) % 200 + 20).astype(np.uint8)
    made: list[msgspec.Struct] = []
    for number in range(3):
        runtime.submit(Tensor(np.zeros(manifest.input.shape, np.uint8), manifest.input))
        verdict = decide(runtime.wait(1.0), manifest, fit(REGIONS[0].box, 160, 160), REGIONS, pixels)
        result = Result(
            **msgspec.structs.asdict(verdict),
            stream="s",
            frame_seq=number,
            captured_ns=1_000_000_000,
            image_size=(640, 480),
            runtime=RuntimeRef(name="litert", delegate="xnnpack"),
            latency_ms={"total": 1.5},
        )
        frame = Frame("s", number, 1_000_000_000, None, pixels, REGIONS, FrameOrigin())
        stream = StreamSettings(name="s", source="x")
        made.append(messages.latest_result(result, "e"))
        made += [messages.finding(TrackEvent("new", "f", each, result), frame, stream, "e") for each in result.lesions]
        change = CoverageTracker().observe(result.status, result.reason, result.captured_ns, number)
        made.append(messages.coverage(change, "s", "e"))
    return made


@pytest.mark.skipif(platform.machine() != "x86_64", reason="outlines are floats, and were computed on x86")
def test_not_a_byte_has_changed(monkeypatch):
    monkeypatch.setattr("edge.pipeline.messages.FINDER_VERSION", "scan-area/1")  # a newer one is no other contract
    body = b"\n".join(map(msgspec.json.encode, all_messages()))
    body = body.replace(b',"clip":null', b"")  # added since, last, with nothing to say in a `new`
    # Wider since it was measured how far outlines of the model and of people are apart; before, a mask cell.
    body = body.replace(b'"mm_uncertainty":2.7', b'"mm_uncertainty":1.4')
    assert hashlib.sha256(body).hexdigest() == BEFORE, body.decode()


def test_nor_does_its_state_say_more():
    lesion = FrameReport(version="1")
    assert other_kind(lesion) == {}
    assert other_topics(lesion, frozenset()) == other_topics(lesion, frozenset({"findings", "coverage"})) == {}
    classifier = FrameReport(version="1", judges="classification", gate="none")
    assert other_kind(classifier) == {"judges": "classification", "gate": "none"}


@pytest.mark.parametrize(
    ("judges", "stored", "named"),
    [
        ("classification", (), ("findings", "coverage", "labels")),
        ("segmentation", (), ("findings", "coverage", "labels")),
        ("segmentation", ("findings", "labels"), ("findings", "coverage", "labels")),
        ("lesion", ("labels",), ("findings", "coverage", "labels")),
        ("lesion", ("labels", "coverage", "new-kind"), ("findings", "coverage", "labels", "new-kind")),
        ("lesion", ("new-kind",), ("findings", "coverage", "new-kind")),
        ("lesion", ("state", "", "Upper", "a/b", "results", "x" * 33), None),
    ],
)
def test_state_names_what_lies_in_the_outbox_though_another_model_judges_now(judges, stored, named):
    said = other_topics(FrameReport(version="1", judges=judges, gate="none"), frozenset(stored))
    assert said == ({} if named is None else {"durable_topics": named})
