"""Demo run: starts a broker, the real daemon and a subscriber, and writes what the subscriber received."""

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
from edge.demo.message_log import MessageRow, message_rows
from edge.demo.overlays import draw_overlays, messages_by_frame
from edge.demo.page import PageFigure, PageRow, PageSection, demo_page
from edge.demo.subscriber import DemoSubscriber
from edge.demo.summary import summarise

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edge.demo.overlays import DemoOverlay, FrameMessages
    from edge.demo.scenarios import Scenario, ScenarioOutcome
    from edge.demo.subscriber import ReceivedMessage

SITE = "demo"
DRAIN_S = 5.0
OFFLINE_WAIT_S = 3.0
"""For the state ``offline`` to arrive when the daemon has ended."""
JPEG_QUALITY = 90
COMMANDS = """edge-cli infer yours.png --overlay out/
edge-cli demo --input your-folder/
edge-cli run --source images:///your-folder --sink mqtt://your-broker:1883
mosquitto_sub -h your-broker -v -t 'edge/v1/#'"""


@dataclass(slots=True)
class ScenarioRun:
    """One scenario of the demo and what came of it."""

    scenario: Scenario
    outcome: ScenarioOutcome
    rows: list[MessageRow]
    overlays: list[DemoOverlay] = field(default_factory=list)


class DemoProgress(Protocol):
    """Port that the demo reports its progress to, while it goes on."""

    def step(self, text: str) -> None:
        """Called when something begins; ``text`` says what."""

    def scenario_ended(self, run: ScenarioRun) -> None:
        """Called when a scenario has ended, with its outcome."""


def run_scenarios(
    scenarios: Sequence[Scenario], out: Path, seconds: float, config: Path | None, progress: DemoProgress
) -> tuple[list[ScenarioRun], Path]:
    """Run all scenarios and write ``out``: overlays, logs and ``index.html``.

    Args:
        scenarios: see `edge.demo.scenarios`.
        out: folder, made if need be.
        seconds: for all of it.
        config: settings for the daemon; None: the defaults.
        progress: called while it goes on.

    Returns:
        What came of each scenario, and the page. What is not as it should be stands in the outcomes.

    Raises:
        EdgeError: the broker or the daemon does not run, or not in time.
    """
    deadline = time.monotonic() + seconds
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"{out} cannot be made: {error.strerror}", hint="give --out another place") from None
    state = Path(tempfile.mkdtemp(prefix="sonoedge-demo-"))
    runs: list[ScenarioRun] = []
    try:
        with start_broker() as broker:
            progress.step(f"broker: {broker.name}, on 127.0.0.1:{broker.port}")
            for scenario in scenarios:
                progress.step(f"daemon: edge-cli run --source {scenario.shown} ... (a process of its own)")
                subscriber = DemoSubscriber("127.0.0.1", broker.port, SITE)
                try:
                    _run_daemon(scenario, broker.port, subscriber, out, state, config, deadline)
                    received = subscriber.received()
                    invalid_topics = subscriber.invalid_topics
                finally:
                    subscriber.close()
                runs.append(_evaluate(scenario, received, invalid_topics))
                progress.scenario_ended(runs[-1])
        about = f"sonoedge {__version__}, broker: {broker.name}. Everything below is what an MQTT subscriber received."
    finally:
        shutil.rmtree(state, ignore_errors=True)
    return runs, _write(out, runs, about)


def _run_daemon(
    scenario: Scenario,
    port: int,
    subscriber: DemoSubscriber,
    out: Path,
    state: Path,
    config: Path | None,
    deadline: float,
) -> None:
    """Run the daemon on one scenario until its sources have ended and its state ``offline`` was received."""
    args = ["--sink", f"mqtt://127.0.0.1:{port}", "--site", SITE, "--device", scenario.device]
    args += ["--state-dir", str(state / scenario.device), "--drain-timeout", str(DRAIN_S)]
    for source in scenario.sources:
        args += ["--source", source]
    if config is not None:
        args += ["--config", str(config)]
    with DemoDaemon(args, out / f"{scenario.device}.log") as daemon:
        daemon.finish(deadline)
    subscriber.wait_for(lambda each: _is_offline(each, scenario.device), OFFLINE_WAIT_S)


def _is_offline(received: ReceivedMessage, device: str) -> bool:
    message = received.message
    return received.device == device and isinstance(message, State) and message.status == "offline"


def _evaluate(scenario: Scenario, received: list[ReceivedMessage], invalid_topics: list[str]) -> ScenarioRun:
    """Outcome of a scenario from what was received, with its overlays drawn."""
    summary = summarise(received, scenario.device)
    outcome = scenario.outcome(summary)
    outcome.problems += [f"a message on {topic} does not keep to the contract" for topic in invalid_topics]
    run = ScenarioRun(scenario, outcome, message_rows(received, scenario.device))
    for stream, uri in scenario.streams().items():
        _draw(run, stream, uri, messages_by_frame(summary, stream))
    return run


def _draw(run: ScenarioRun, stream: str, uri: str, by_frame: dict[int, FrameMessages]) -> None:
    """Add the overlays of one stream."""
    try:
        run.overlays += draw_overlays(stream, uri, by_frame)
    except EdgeError as error:
        run.outcome.problems.append(f"{stream} cannot be read again: {error.message}")


def _write(out: Path, runs: list[ScenarioRun], about: str) -> Path:
    """Write the overlays and the page; return the page's path."""
    target = out / "index.html"
    sections = [_section(each, out) for each in runs]
    foot = f"sonoedge {__version__}. Logs and overlays are in the same folder as this page."
    try:
        target.write_text(
            demo_page("sonoedge: what the demo showed", about, sections, COMMANDS, foot), encoding="utf-8"
        )
    except OSError as error:
        raise UsageError(f"{target} cannot be written: {error.strerror}", hint="give --out another place") from None
    return target


def _section(run: ScenarioRun, out: Path) -> PageSection:
    outcome = run.outcome
    text = outcome.sentence + "".join(f" Not as it should be: {problem}." for problem in outcome.problems)
    section = PageSection(run.scenario.title, run.scenario.about, text, good=not outcome.problems, facts=outcome.facts)
    for overlay in run.overlays:
        bgr = cv2.cvtColor(overlay.pixels, cv2.COLOR_RGB2BGR)
        name = f"{run.scenario.device}.{overlay.stream}.{overlay.seq:04d}.png"
        made, jpeg = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
        encoded, png = cv2.imencode(".png", bgr)
        if not made or not encoded:
            raise DeviceError(f"{out / name} cannot be made: OpenCV did not encode it", hint="report it please")
        try:
            (out / name).write_bytes(png.tobytes())
        except OSError as error:
            raise DeviceError(f"{out / name} cannot be written: {error.strerror}", hint="is the disk full?") from None
        height, width = bgr.shape[:2]
        section.figures.append(PageFigure(jpeg.tobytes(), width, height, overlay.caption))
    section.lines = [PageRow((row.number, row.at, row.topic, row.what, row.meaning), row.kind) for row in run.rows]
    return section
