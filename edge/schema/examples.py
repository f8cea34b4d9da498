"""Example messages: one true-to-life example of every message type, for the schemas and for tests.

They are made from the types themselves, so that they cannot fall behind them.
"""

from __future__ import annotations

from typing import Any

from edge.contracts.coverage import Coverage, Interval
from edge.contracts.feedback import Feedback
from edge.contracts.finding import EquipmentRef, Finding, FrameRef, Laterality, ModelRef, RuntimeRef
from edge.contracts.health import Health
from edge.contracts.labels import LabelArea, Labels, LabelScore
from edge.contracts.latest_result import LatestResult
from edge.contracts.manifest import PreprocessRecipe
from edge.contracts.region import Region
from edge.contracts.request import Request, Response
from edge.contracts.results import Lesion, Reason, Status
from edge.contracts.state import OutboxState, State, StreamState, Will
from edge.contracts.topics import Topics

TOPICS = Topics(site="clinic-a", device="cart-7")
STREAM = "cart"
HEAD: dict[str, Any] = {
    "device": TOPICS.device,
    "boot_id": "0c8d2f6e-5b0a-4c86-8f0e-0d3a6b1f7c55",
    "run_id": "4f1f8f0e-96b5-4d6c-9d1e-6c1d7a2b9e10",
    "mono_ns": 5_230_118_400_000,
    "at": "2030-01-31T12:30:01.250000Z",
    "clock": "synced",
}
STORED: dict[str, Any] = {**HEAD, "stream": STREAM, "epoch": "b7c0a6c4-1d3e-4f59-8a26-2f9d0e8c4b31"}
EXAM = "9a3d5c1e-7f20-4b8e-a1c6-5e0f2d4b6a78"
MODEL = ModelRef(name="example", version="1.0.0", sha256="ab" * 32)
RUNTIME = RuntimeRef(name="litert", delegate="xnnpack")
RECIPE = PreprocessRecipe(width=160, height=160)
TIMES = {"preprocess": 0.9, "infer": 6.2, "postprocess": 0.4, "total": 8.1}
SIZE = (640, 480)
LESION = Lesion(
    box=(212, 140, 96, 64),
    outline=[(212.0, 172.0), (260.0, 140.0), (308.0, 172.0), (260.0, 204.0)],
    centre=(260.0, 172.0),
    score=0.93,
    long_axis_mm=9.6,
    short_axis_mm=6.4,
    area_mm2=30.7,
    mm_uncertainty=0.4,
    descriptors={"taller_than_wide": 0.67},
)

AREA = LabelArea(
    name="cyst",
    score=0.77,
    share=0.0133,
    area_mm2=32.8,
    pieces=1,
    box=(212, 140, 96, 64),
    outlines=[LESION.outline],
)
SCORES = [LabelScore("cyst", 0.81), LabelScore("solid", 0.12), LabelScore("normal", 0.07)]


def finding() -> Finding:
    """Example of a finding: a lesion seen for the first time."""
    return Finding(
        **STORED,
        seq=41,
        finding_id="e1a7c3d2-0b64-4d9f-8c35-7a2e6f1b9d04",
        lifecycle="new",
        exam_id=EXAM,
        captured_at="2030-01-31T12:30:01.241000Z",
        frame=FrameRef(seq=1204, age_ms=8.1),
        image_size=SIZE,
        body_part="BREAST",
        laterality=Laterality(side="L", source="config"),
        equipment=EquipmentRef(),
        region=Region(box=(40, 20, 560, 440), mm_x=0.1, mm_y=0.1, source="config"),
        status=Status.FINDING,
        reason=None,
        malignancy=0.71,
        suspicious=True,
        threshold=0.5,
        operating_point="as the manifest says",
        prevalence=0.3,
        uncertainty=None,
        lesions=[LESION],
        model=MODEL,
        runtime=RUNTIME,
        preprocess_hash=RECIPE.digest(),
        latency_ms=TIMES,
    )


def labels() -> Labels:
    """Example of a label: a segmentation network sees it for the first time. A classifier leaves ``area`` out."""
    return Labels(
        **STORED,
        seq=43,
        label_id="5d0c7f64-2a1b-4e83-9b57-c1a0d7e3f218",
        lifecycle="new",
        exam_id=EXAM,
        captured_at="2030-01-31T12:30:01.241000Z",
        frame=FrameRef(seq=1204, age_ms=8.1),
        image_size=SIZE,
        body_part="THYROID",
        laterality=Laterality(),
        equipment=EquipmentRef(),
        region=Region(box=(40, 20, 560, 440), mm_x=0.1, mm_y=0.1, source="config"),
        status=Status.FINDING,
        reason=None,
        label=SCORES[0].name,
        score=SCORES[0].score,
        threshold=0.6,
        scan_area_finder=None,
        labels=SCORES,
        area=AREA,
        gate="anatomy",
        model=MODEL,
        runtime=RUNTIME,
        preprocess_hash=RECIPE.digest(),
        latency_ms=TIMES,
    )


def feedback() -> Feedback:
    """Example of feedback: a person at the device disagrees with a finding."""
    return Feedback(
        **STORED,
        seq=44,
        exam_id=EXAM,
        finding_id="5d0c7f64-2a1b-4e83-9b57-c1a0d7e3f218",
        frame_seq=1204,
        agrees=False,
    )


def coverage() -> Coverage:
    """Example of coverage: the picture went black, so what had been clear until then has ended.

    Its device runs a classifier; of a lesion model ``gate`` is absent.
    """
    before = Interval(
        status=Status.CLEAR, reason=None, from_mono_ns=5_200_000_000_000, to_mono_ns=5_230_100_000_000, frames=903
    )
    return Coverage(
        **STORED,
        seq=42,
        exam_id=EXAM,
        status=Status.ABSTAINED,
        reason=Reason.BLACK,
        since_mono_ns=5_230_100_000_000,
        since_frame=2107,
        previous=before,
        gate="anatomy",
    )


def state() -> State:
    """Example of a state: the birth message of a device that is online.

    A device with a lesion model leaves ``judges`` and ``gate`` out.
    """
    return State(
        **HEAD,
        status="online",
        version="1.0.0",
        model=MODEL,
        runtime=RUNTIME,
        streams=[StreamState(name=STREAM, source="phantom://")],
        capabilities=["findings", "coverage", "results", "health"],
        outbox=OutboxState(epoch=STORED["epoch"], oldest_kept=1, next_seq=43),
        health_every_s=10.0,
        judges="lesion",
        gate="anatomy",
    )


def will() -> Will:
    """Example of the MQTT last will, which the broker publishes when the device is gone."""
    return Will(device=TOPICS.device, run_id=HEAD["run_id"])


def health() -> Health:
    """Example of health: of a device that cannot read its temperature."""
    return Health(
        **HEAD,
        uptime_s=5230.1,
        fps=30.0,
        frames=2107,
        finding=310,
        clear=1700,
        abstained=97,
        no_result=0,
        dropped=0,
        infer_p50_ms=6.2,
        infer_p99_ms=7.9,
        outbox_epoch=STORED["epoch"],
        outbox_next_seq=43,
    )


def result() -> LatestResult:
    """Example of the latest result, of a segmentation network.

    A classifier leaves ``areas`` out, a lesion model also ``labels``, ``found`` and ``gate``.
    """
    return LatestResult(
        **HEAD,
        stream=STREAM,
        exam_id=EXAM,
        frame_seq=1203,
        status=Status.FINDING,
        reason=None,
        malignancy=None,
        suspicious=None,
        lesions=[],
        image_size=SIZE,
        latency_ms=TIMES,
        labels=SCORES,
        found=[SCORES[0].name],
        areas=[AREA],
        gate="anatomy",
    )


def request() -> Request:
    """Example of a request: asks the device whether it answers (ping)."""
    return Request(id="q-17")


def response() -> Response:
    """Example of a response: the answer to that ping."""
    return Response(**HEAD, id="q-17", command="ping", ok=True)
