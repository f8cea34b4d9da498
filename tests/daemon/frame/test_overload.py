"""A frame process that cannot keep up with a live source says so."""

from __future__ import annotations

import socket
import threading
from typing import TYPE_CHECKING

import pytest
from brokers import wait_until

from edge.app.frame_link import MAX_PACKET, decode
from edge.config.settings import RuntimeSettings, Settings, StreamSettings
from edge.contracts.frame_report import FrameReport
from edge.daemon.frame import process
from edge.daemon.frame.process import run_frame_process
from edge.daemon.job import DaemonJob
from edge.images.decoder_process import DecoderProcess
from edge.pipeline import overload

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.slow
def test_dropped_frames_become_a_reason(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(overload, "OVERLOAD_AFTER_S", 0.5)
    monkeypatch.setattr(process, "decoder_process", DecoderProcess())  # ours is shut down for good at the end
    settings = Settings(
        device="cart",
        state_dir=str(tmp_path / "state"),
        streams=[StreamSettings(name="a", source="phantom://?seed=1&fps=30&pace=realtime&width=160&height=120")],
        runtime=RuntimeSettings(uri="scripted://?delay_ms=100", isolated=False),
    )
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    stop = threading.Event()
    job = DaemonJob(settings=settings, run_id="run")
    thread = threading.Thread(target=run_frame_process, args=(job, theirs, stop, lambda: None))
    thread.start()
    reports: list[FrameReport] = []

    def seen() -> bool:
        packet = decode(ours.recv(MAX_PACKET))
        if isinstance(packet, FrameReport):
            reports.append(packet)
        return any("overload" in report.reasons for report in reports)

    try:
        wait_until(seen, 60)
    finally:
        stop.set()
        thread.join(20)
        ours.close()
        theirs.close()
