"""Viewer rig: a real viewer process, and a frame process that is played by a thread, for tests and screenshots."""

from __future__ import annotations

import contextlib
import json
import os
import threading
import time
import uuid
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any

import msgspec

from edge.config.settings import LogSettings, Settings
from edge.config.view_settings import ViewSettings
from edge.contracts.finding import ModelRef, RuntimeRef
from edge.contracts.frame_result import Result
from edge.contracts.frames import Frame, SourceEvent
from edge.contracts.region import Region
from edge.contracts.results import Lesion, Reason, Status
from edge.daemon.supervisor.child_supervisor import ChildSupervisor
from edge.daemon.supervisor.viewer import listen
from edge.phantom.scene import PhantomScene
from edge.phantom.spec import PhantomSpec
from edge.process.shared_notes import SharedNotes
from edge.tap.channel import ChannelFds, ViewerChannel
from edge.tap.messages import ModelReport, OrderResult, StreamReport, TapReport
from edge.tap.viewer_job import ViewerJob
from edge.tap.writer import FrameTap

if TYPE_CHECKING:
    import socket
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    from edge.contracts.feedback import Answer
    from edge.contracts.labels import LabelScore

RUNTIME = RuntimeRef(name="litert", delegate="xnnpack")
MOMENTS = 10
"""Frames of the phantom that come again and again."""
LIMIT_S = 60.0
"""Of everything that is waited for: a loaded machine."""
MODEL = ModelReport(
    ref=ModelRef(name="breast", version="1.0", sha256="ab" * 32),
    judges="lesion",
    gate="anatomy",
    body_part="BREAST",
    threshold=0.5,
    operating_point="test",
)
LABELLING = msgspec.structs.replace(MODEL, judges="classification", gate="none", threshold=None, body_part="")


def wait_for(condition: Any, what: str = "", limit_s: float = LIMIT_S) -> Any:
    """Waits until ``condition()`` is true; its value."""
    until = time.monotonic() + limit_s
    while time.monotonic() < until:
        value = condition()
        if value:
            return value
        time.sleep(0.01)
    raise AssertionError(f"waited {limit_s:.0f} s in vain for {what or condition}")


@cache
def phantom(index: int, lesions: int = 1) -> Any:
    """A rendered phantom's picture, with its true outlines."""
    return _scene(lesions).render(index)


@cache
def _scene(lesions: int) -> PhantomScene:
    return PhantomScene(PhantomSpec(seed=1, width=480, height=360, lesions=lesions))


@dataclass
class Scene:
    """What a stream shows now, and what is said of it."""

    status: Status = Status.FINDING
    reason: Reason | None = None
    lesions: int = 1
    malignancy: float | None = 0.86
    suspicious: bool | None = True
    uncertain: bool = False
    calibrated: bool = True
    scan_area: bool = True
    scores: tuple[LabelScore, ...] = ()
    given: tuple[str, ...] = ()
    confirmed: bool = True
    pixels: NDArray[np.uint8] | None = None
    """Instead of a phantom."""
    outline: tuple[tuple[int, int], ...] | None = None
    regions: tuple[Region, ...] | None = None
    """Instead of one that is the whole picture, or ``outline``."""


@dataclass
class ViewerRig:
    """A viewer process on a port of its own, and the thread that feeds it. Close it."""

    streams: Sequence[str] = ("cart",)
    view: ViewSettings = field(default_factory=lambda: ViewSettings(enabled=True, port=0))
    model: ModelReport = MODEL
    fps: float = 25.0
    scenes: dict[str, Scene | None] = field(default_factory=dict)
    """What each stream shows; None: nothing comes."""
    reasons: list[str] = field(default_factory=list)
    lost: set[str] = field(default_factory=set)
    turns: bool = True
    """False: the frame process hangs."""
    feedback: list[Answer] = field(default_factory=list)
    exams: dict[str, str] = field(default_factory=dict)
    maps: bool = False
    """Whether there is a model for occlusion maps: the one that ships."""
    keeps: bool = True
    """False: the frame process keeps no feedback."""

    def __post_init__(self) -> None:
        for moment in range(MOMENTS):
            phantom(moment)
        self.channel = ViewerChannel(len(self.streams))
        self.listener: socket.socket = listen(self.view)
        self.port: int = self.listener.getsockname()[1]
        self.exams = {name: str(uuid.uuid4()) for name in self.streams}
        self.finding_id = str(uuid.uuid4())
        for name in self.streams:
            self.scenes.setdefault(name, Scene())
        view = self.view
        model = Settings() if self.maps else None
        job = ViewerJob(
            site="ward", device="cart-7", streams=list(self.streams), view=view, log=LogSettings(), model=model
        )  # fmt: skip
        self.child = ChildSupervisor(
            "edge.viewer.process", msgspec.json.encode(job), self.listener.fileno(), 30.0,
            more_fds=self.channel.viewer_fds(), always_again=True,
        )  # fmt: skip
        ours = ChannelFds.from_list([os.dup(fd) for fd in self.channel.frame_fds()])
        self.tap = FrameTap(ours, list(self.streams))
        self._fds = ours
        self.notes = SharedNotes(ours.publisher)
        self.publisher_reasons: list[str] = []
        self.seq = 0
        self._stop = threading.Event()
        self.lock = threading.Lock()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    @property
    def address(self) -> str:
        return f"{'https' if self.view.cert_file else 'http'}://127.0.0.1:{self.port}/"

    def event(self, stream: str, event: SourceEvent) -> None:
        with self.lock:
            self.scenes[stream] = None
            if event.kind == "lost":
                self.lost.add(stream)
            self.tap.event(stream, event, self.exams[stream])

    def show(self, stream: str, scene: Scene | None) -> None:
        with self.lock:
            self.lost.discard(stream)
            self.scenes[stream] = scene

    def tell_publisher(self, *reasons: str) -> None:
        self.publisher_reasons = list(reasons)
        self.notes.write(json.dumps({"at_ns": time.monotonic_ns(), "reasons": self.publisher_reasons}).encode())

    def close(self) -> None:
        self._stop.set()
        self._thread.join()
        self.child.stop(0.0)
        self.child.close()
        self.listener.close()
        self.channel.close()
        self.tap._socket.close()
        for fd in (self._fds.ready, self._fds.publisher, *self._fds.rings):
            with contextlib.suppress(OSError):
                os.close(fd)

    def _run(self) -> None:
        reported_at = 0.0
        next_at = time.monotonic()
        while not self._stop.is_set():
            self._stop.wait(max(0.0, min(0.02, next_at - time.monotonic())))
            with self.lock:
                self.child.poll_heartbeat()
                self.child.check()
                if not self.turns:
                    continue
                self.tap.turn()
                self._orders()
                if time.monotonic() - reported_at > 0.2:
                    reported_at = time.monotonic()
                    self.tap.report(self._report())
                    self.tell_publisher(*self.publisher_reasons)
                if time.monotonic() >= next_at:
                    next_at = max(next_at + 1 / self.fps, time.monotonic())
                    for name, scene in self.scenes.items():
                        if scene is not None:
                            self.tap.offer(*self._frame(name, scene))
                    self.seq += 1

    def _orders(self) -> None:
        for order in self.tap.orders():
            if order.name == "exam":
                for name in order.streams:
                    self.exams[name] = str(uuid.uuid4())
                    self.tap.begin_exam(name, self.exams[name], order.at_ns)
                self.finding_id = str(uuid.uuid4())
                self.tap.answer(OrderResult(id=order.id, exams={name: self.exams[name] for name in order.streams}))
            else:
                if self.keeps and order.answer is not None:
                    self.feedback.append(order.answer)
                self.tap.answer(OrderResult(id=order.id, error=None if self.keeps else "not_kept"))

    def _report(self) -> TapReport:
        return TapReport(
            at_ns=time.monotonic_ns(), version="0", model=self.model, runtime=RUNTIME,
            streams=[
                StreamReport(name=name, source="phantom://", lost=name in self.lost, exam_id=self.exams[name])
                for name in self.streams
            ],
            reasons=self.reasons,
        )  # fmt: skip

    def _frame(self, name: str, scene: Scene) -> tuple[Frame, Result, str, list[str | None]]:
        moment = self.seq % (2 * MOMENTS - 2)  # there and back, without a jump
        picture = phantom(min(moment, 2 * MOMENTS - 2 - moment), max(scene.lesions, 1))
        pixels = picture.pixels if scene.pixels is None else scene.pixels
        height, width = pixels.shape[:2]
        outline = scene.outline or ((0, 0), (width - 1, 0), (width - 1, height - 1), (0, height - 1))
        true = picture.region
        mm = (true.mm_x, true.mm_y) if scene.calibrated else (None, None)
        region = Region(
            box=(0, 0, width, height), mm_x=mm[0], mm_y=mm[1], source="phantom",
            outline=outline if scene.scan_area else None, shape="linear" if scene.scan_area else None,
        )  # fmt: skip
        lesions = _lesions(picture, scene) if scene.status is Status.FINDING and not scene.scores else ()
        judged = scene.status in (Status.FINDING, Status.CLEAR) and not scene.scores
        now = time.monotonic_ns()
        result = Result(
            stream=name, frame_seq=self.seq, captured_ns=now - 20_000_000, image_size=(width, height),
            status=scene.status, reason=scene.reason, lesions=lesions, region=region,
            malignancy=scene.malignancy if judged else None,
            suspicious=scene.suspicious if lesions else None, call_uncertain=scene.uncertain and bool(lesions),
            scores=scene.scores, given=scene.given, gated_by=self.model.gate if scene.scores else None,
            runtime=RUNTIME, latency_ms={"total": 20.0},
        )  # fmt: skip
        ids: list[str | None] = [self.finding_id if scene.confirmed else None] * (len(lesions) + len(scene.given))
        regions = (region,) if scene.regions is None else scene.regions
        frame = Frame(name, self.seq, result.captured_ns, None, pixels, regions)
        return frame, result, self.exams[name], ids


def _lesions(picture: Any, scene: Scene) -> tuple[Lesion, ...]:
    found = []
    for each in picture.lesions[: scene.lesions]:
        outline = [(float(x), float(y)) for x, y in each.outline_px[::4]]
        mm = {
            "long_axis_mm": each.long_axis_mm, "short_axis_mm": each.short_axis_mm, "area_mm2": each.area_mm2,
            "mm_uncertainty": 0.4,
        }  # fmt: skip
        found.append(
            Lesion(
                box=each.box, outline=outline, centre=each.centre, score=0.93,
                descriptors={"taller_than_wide": 0.79}, **(mm if scene.calibrated else {}),
            )
        )  # fmt: skip
    return tuple(found)
