"""The demo: a broker, the real daemon, a subscriber, and what the subscriber saw."""

from __future__ import annotations

import shutil
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import cv2

from edge import __version__
from edge.broker.embedded_broker import start_broker
from edge.contracts.errors import DeviceError, EdgeError, UsageError
from edge.contracts.state import State
from edge.demo.daemon_process import DemoDaemon
from edge.demo.message_log import MessageRow, rows
from edge.demo.overlays import draw_overlays, messages_by_frame
from edge.demo.page import PageFigure, PageRow, PageSection, page
from edge.demo.subscriber import DemoSubscriber
from edge.demo.summary import summarise

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edge.demo.overlays import DemoOverlay, FrameMessages
    from edge.demo.scenarios import Scenario, ScenarioOutcome
    from edge.demo.subscriber import ReceivedMessage

SITE = "demo"
DRAIN_S = 5.0
LAST_WORDS_S = 3.0
"""For the goodbye to arrive when the daemon has ended."""
JPEG_QUALITY = 90
COMMANDS = """edge-cli infer yours.png --overlay out/
edge-cli demo --input your-folder/
edge-cli run --source images:///your-folder --sink mqtt://your-broker:1883
mosquitto_sub -h your-broker -v -t 'edge/v1/#'"""


@dataclass(slots=True)
class ScenarioRun:
    """One act and what came of it."""

    act: Scenario
    outcome: ScenarioOutcome
    rows: list[MessageRow]
    pictures: list[DemoOverlay] = field(default_factory=list)


class DemoProgress(Protocol):
    """Who is told, while it goes on."""

    def step(self, text: str) -> None:
        """Something begins."""

    def act(self, played: ScenarioRun) -> None:
        """An act has ended."""


def play(
    acts: Sequence[Scenario], out: Path, seconds: float, config: Path | None, audience: DemoProgress
) -> tuple[list[ScenarioRun], Path]:
    """Play the acts and write ``out``: overlays, logs and ``index.html``.

    Args:
        acts: see `edge.demo.scenarios`.
        out: folder, made if need be.
        seconds: for all of it.
        config: settings for the daemon; None: the defaults.
        audience: is told while it goes on.

    Returns:
        What came of each act, and the page. What is not as it should be stands in the outcomes.

    Raises:
        EdgeError: the broker or the daemon does not run, or not in time.
    """
    deadline = time.monotonic() + seconds
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"{out} cannot be made: {error.strerror}", hint="give --out another place") from None
    state = Path(tempfile.mkdtemp(prefix="sonoedge-demo-"))
    played: list[ScenarioRun] = []
    try:
        with start_broker() as broker:
            audience.step(f"broker: {broker.name}, on 127.0.0.1:{broker.port}")
            for act in acts:
                audience.step(f"daemon: edge-cli run --source {act.shown} ... (a process of its own)")
                listener = DemoSubscriber("127.0.0.1", broker.port, SITE)
                try:
                    _run(act, broker.port, listener, out, state, config, deadline)
                    received = listener.received()
                    strange = listener.strange
                finally:
                    listener.close()
                played.append(_look(act, received, strange))
                audience.act(played[-1])
        about = f"sonoedge {__version__}, broker: {broker.name}. Everything below is what an MQTT subscriber received."
    finally:
        shutil.rmtree(state, ignore_errors=True)
    return played, _write(out, played, about)


def _run(
    act: Scenario, port: int, listener: DemoSubscriber, out: Path, state: Path, config: Path | None, deadline: float
) -> None:
    """Run the daemon on one act until its sources have ended and its goodbye was heard."""
    args = ["--sink", f"mqtt://127.0.0.1:{port}", "--site", SITE, "--device", act.device]
    args += ["--state-dir", str(state / act.device), "--drain-timeout", str(DRAIN_S)]
    for source in act.sources:
        args += ["--source", source]
    if config is not None:
        args += ["--config", str(config)]
    with DemoDaemon(args, out / f"{act.device}.log") as daemon:
        daemon.finish(deadline)
    listener.wait_for(lambda each: _is_goodbye(each, act.device), LAST_WORDS_S)


def _is_goodbye(received: ReceivedMessage, device: str) -> bool:
    message = received.message
    return received.device == device and isinstance(message, State) and message.status == "offline"


def _look(act: Scenario, received: list[ReceivedMessage], strange: list[str]) -> ScenarioRun:
    """Judge what came of an act, and draw it."""
    summary = summarise(received, act.device)
    outcome = act.outcome(summary)
    outcome.problems += [f"a message on {topic} does not keep to the contract" for topic in strange]
    played = ScenarioRun(act, outcome, rows(received, act.device))
    for stream, uri in act.streams().items():
        _draw(played, stream, uri, messages_by_frame(summary, stream))
    return played


def _draw(played: ScenarioRun, stream: str, uri: str, said: dict[int, FrameMessages]) -> None:
    """Add the overlays of one stream."""
    try:
        played.pictures += draw_overlays(stream, uri, said)
    except EdgeError as error:
        played.outcome.problems.append(f"{stream} cannot be read again: {error.message}")


def _write(out: Path, played: list[ScenarioRun], about: str) -> Path:
    """Overlays and the page."""
    target = out / "index.html"
    sections = [_section(each, out) for each in played]
    foot = f"sonoedge {__version__}. Logs and overlays are in the same folder as this page."
    try:
        target.write_text(page("sonoedge: what the demo showed", about, sections, COMMANDS, foot), encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{target} cannot be written: {error.strerror}", hint="give --out another place") from None
    return target


def _section(played: ScenarioRun, out: Path) -> PageSection:
    outcome = played.outcome
    told = outcome.sentence + "".join(f" Not as it should be: {problem}." for problem in outcome.problems)
    section = PageSection(played.act.title, played.act.about, told, good=not outcome.problems, facts=outcome.facts)
    for picture in played.pictures:
        bgr = cv2.cvtColor(picture.pixels, cv2.COLOR_RGB2BGR)
        name = f"{played.act.device}.{picture.stream}.{picture.seq:04d}.png"
        made, jpeg = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
        if not made or not cv2.imwrite(str(out / name), bgr):
            raise DeviceError(f"{out / name} cannot be written", hint="is the disk full?")
        height, width = bgr.shape[:2]
        section.figures.append(PageFigure(jpeg.tobytes(), width, height, picture.caption))
    section.lines = [PageRow((row.number, row.at, row.topic, row.what, row.meaning), row.kind) for row in played.rows]
    return section
