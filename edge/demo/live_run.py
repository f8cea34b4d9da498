"""Live demo: a camera that is off, comes, dies, comes back, freezes, comes back; the real daemon tells each.

Everything that is shown was received by an MQTT subscriber; when something was told is measured from the moment when
it was done.
"""

from __future__ import annotations

import shutil
import statistics
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from edge.broker.embedded_broker import start_broker
from edge.contracts.coverage import Coverage
from edge.contracts.errors import DeviceError
from edge.contracts.results import Reason, Status
from edge.contracts.state import State
from edge.demo.daemon_process import DemoDaemon
from edge.demo.live_server import FRAMES, PhantomCamera, ffmpeg_version
from edge.demo.live_table import HEAD, LiveTable, event
from edge.demo.subscriber import DemoSubscriber
from edge.demo.summary import missing_parts, summarise
from edge.phantom.scene import PhantomScene
from edge.phantom.spec import PhantomSpec
from edge.picture.wording import counted

if TYPE_CHECKING:
    from collections.abc import Callable

    from edge.demo.subscriber import ReceivedMessage

SITE, DEVICE, STREAM = "demo", "demo-cart", "cart"
SEED = 1
GOODBYE_S = 3.0
RETURNS = 3
"""Times that the camera comes back."""
LATEST_S = 1.0
"""A camera that died or hangs is told within so long, on a machine that is not busy with other things."""
CONFIG = """\
# The daemon of `edge-cli demo-live`: one live stream, calibrated as a grabber is.
site = "{site}"
device = "{device}"
state_dir = "{state}"

[[streams]]
name = "{stream}"
source = "{uri}"
body_part = "BREAST"
calibration = {{ box = {box}, mm_x = {mm_x}, mm_y = {mm_y} }}

[[sinks]]
uri = "mqtt://127.0.0.1:{port}"
"""


TRUE_FRAMES = range(0, FRAMES, 10)
"""Frames of the phantom whose true lesion is compared; rendering all of them would take seconds."""


class LiveProgress(Protocol):
    """Port that the live demo reports to, while it goes on."""

    def line(self, text: str) -> None:
        """Called with each line for people to read."""


@dataclass(slots=True)
class LiveOutcome:
    """What came of the live demo."""

    facts: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    """Empty: it showed what it should."""


def run_live_demo(out: Path, seconds: float, hold_s: float, progress: LiveProgress) -> LiveOutcome:
    """Run the live demo; Ctrl-C ends it early, and in order.

    Args:
        out: folder for the logs and the daemon's configuration, made if need be.
        seconds: for all of it.
        hold_s: how long each state of the camera is shown.
        progress: called while it goes on.

    Raises:
        EdgeError: the camera, the broker or the daemon does not run.
    """
    scene = PhantomScene(PhantomSpec(seed=SEED, lesions=1))
    out.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="sonoedge-demo-live-"))
    try:
        camera = PhantomCamera(scene, folder)
        with start_broker() as broker:
            progress.line(f"-- broker: {broker.name}, on 127.0.0.1:{broker.port}")
            progress.line(f"-- camera: ffmpeg {ffmpeg_version()}, a phantom with one lesion at {camera.uri}; it is off")
            config = out / "demo-live.toml"
            config.write_text(_config(scene, camera.uri, broker.port, folder / "state"), encoding="utf-8")
            subscriber = DemoSubscriber("127.0.0.1", broker.port, SITE)
            try:
                acts = _Run(scene, camera, subscriber, progress, time.monotonic() + seconds, hold_s)
                return acts.run(config, out)
            finally:
                camera.close()
                subscriber.close()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _config(scene: PhantomScene, uri: str, port: int, state: Path) -> str:
    region = scene.region
    return CONFIG.format(
        site=SITE, device=DEVICE, stream=STREAM, state=state, uri=uri, port=port,
        box=list(region.box), mm_x=region.mm_x, mm_y=region.mm_y,
    )  # fmt: skip


class _Run:
    """One run: the acts of the demo in order, with the table going on between."""

    def __init__(
        self,
        scene: PhantomScene,
        camera: PhantomCamera,
        subscriber: DemoSubscriber,
        progress: LiveProgress,
        deadline: float,
        hold_s: float,
    ) -> None:
        self._scene = scene
        self._camera, self._subscriber, self._progress = camera, subscriber, progress
        self._deadline, self._hold_s = deadline, hold_s
        self._table = LiveTable()
        self._shown = 0
        self._began = time.monotonic()
        self._outcome = LiveOutcome()

    def run(self, config: Path, out: Path) -> LiveOutcome:
        """Run the daemon and all acts; the outcome."""
        progress = self._progress
        progress.line(f"-- daemon: edge-cli run --config {config} (a process of its own; log: {out / DEVICE}.log)\n")
        progress.line(HEAD)
        interrupted = False
        with DemoDaemon(["--config", str(config)], out / f"{DEVICE}.log") as daemon:
            try:
                self._acts(daemon)
            except KeyboardInterrupt:
                interrupted = True
        self._subscriber.wait_for(_is_goodbye, GOODBYE_S)
        self._show()
        return self._sum_up(interrupted=interrupted)

    def _acts(self, daemon: DemoDaemon) -> None:
        camera = self._camera
        self._act(daemon, "the daemon starts; its camera is still off", None, _is_lost, "told")
        self._returned(daemon, "camera: switched on")
        self._hold(daemon, self._hold_s)
        self._act(daemon, "camera: killed", camera.switch_off, _is_lost, "told", LATEST_S)
        self._returned(daemon, "camera: switched on again")
        self._hold(daemon)
        self._act(daemon, "camera: frozen, its connection stays (SIGSTOP)", camera.freeze, _is_lost, "told", LATEST_S)
        self._returned(daemon, "camera: switched off and on")
        self._hold(daemon)
        while self._reconnects() < RETURNS:  # health comes once a second: the last of it tells of all returns
            self._hold(daemon, 0.1)

    def _returned(self, daemon: DemoDaemon, what: str) -> None:
        """Switch the camera on, and wait until a row shows the lesion: it takes some frames to be believed."""
        self._act(daemon, what, self._camera.switch_on, _is_judged, "judged")
        before = self._table.lesion_rows
        while self._table.lesion_rows == before:
            self._hold(daemon, 0.1)

    def _reconnects(self) -> int:
        return 0 if self._table.last is None else self._table.last.reconnects

    def _act(
        self,
        daemon: DemoDaemon,
        what: str,
        do: Callable[[], None] | None,
        wanted: Callable[[ReceivedMessage], bool],
        word: str,
        latest_s: float | None = None,
    ) -> None:
        """Do something to the camera, wait until the daemon's messages say so, and go on for a while."""
        self._show()
        before = self._shown
        began = time.monotonic()
        self._progress.line(event(began - self._began, what))
        if do is not None:
            do()
        while not any(wanted(each) for each in self._subscriber.received()[before:]):
            self._check(daemon)
            self._subscriber.wait_for(lambda each: each.number > before and wanted(each), 0.1)
            self._show()
        took_s = time.monotonic() - began
        self._show()
        if do is not None:
            late = "" if latest_s is None or took_s <= latest_s else f" (more than {latest_s:.0f} s: a busy machine?)"
            self._outcome.facts.append(f"{what}: {word} after {took_s:.2f} s{late}")
        self._hold(daemon)

    def _hold(self, daemon: DemoDaemon, seconds: float | None = None) -> None:
        end = time.monotonic() + (self._hold_s if seconds is None else seconds)
        while (left := end - time.monotonic()) > 0:
            self._check(daemon)
            time.sleep(min(left, 0.05))
            self._show()

    def _check(self, daemon: DemoDaemon) -> None:
        """Raise `DeviceError` if the daemon has ended, or the time is over; keep the camera running."""
        daemon.require_running()
        self._camera.keep_on()
        if time.monotonic() > self._deadline:
            raise DeviceError("the live demo was not through in time", hint="give --seconds more")

    def _show(self) -> None:
        for each in self._subscriber.received()[self._shown :]:
            self._shown = each.number
            for line in self._table.lines(each):
                self._progress.line(line)

    def _sum_up(self, *, interrupted: bool) -> LiveOutcome:
        outcome, table = self._outcome, self._table
        summary = summarise(self._subscriber.received(), DEVICE)
        judged = summary.judged(Status.FINDING) + summary.judged(Status.CLEAR)
        if (last := table.last) is not None:
            outcome.facts.append(
                f"{counted(last.frames, 'frame')} answered, {judged} judged, {last.dropped} dropped, "
                f"{counted(last.reconnects, 'reconnect')}"
            )
        if table.ages_ms:
            outcome.facts.append(
                f"age of a picture at its result: {statistics.median(table.ages_ms):.1f} ms in the middle, "
                f"{max(table.ages_ms):.1f} ms at most"
            )
        outcome.facts.append(
            f"{counted(len(summary.lesions), 'finding')} (each loss ends one, and its return begins one)"
        )
        outcome.facts.append(f"{summary.durable} durable messages, {summary.missing} missing")
        measured = [lesion for finding in summary.findings for lesion in finding.lesions if lesion.long_axis_mm]
        if measured:
            sizes = sorted(lesion.long_axis_mm or 0.0 for lesion in measured)
            true = [lesion.long_axis_mm for index in TRUE_FRAMES for lesion in self._scene.render(index).lesions]
            outcome.facts.append(
                f"long axis of the lesion, measured: {sizes[0]:.1f} to {sizes[-1]:.1f} mm; "
                f"true: {min(true):.1f} to {max(true):.1f} mm"
            )
        if interrupted:
            outcome.facts.append("ended by you before it was through")
            return outcome
        outcome.problems += missing_parts(summary)
        if not summary.lesions:
            outcome.problems.append("no finding, though there is a lesion in the phantom")
        if self._reconnects() < RETURNS:
            outcome.problems.append("health does not count the camera's three returns")
        return outcome


def _is_lost(received: ReceivedMessage) -> bool:
    message = received.message
    return isinstance(message, Coverage) and message.reason is Reason.SOURCE_LOST


def _is_judged(received: ReceivedMessage) -> bool:
    message = received.message
    return isinstance(message, Coverage) and message.status in (Status.FINDING, Status.CLEAR)


def _is_goodbye(received: ReceivedMessage) -> bool:
    return isinstance(received.message, State) and received.message.status == "offline"
