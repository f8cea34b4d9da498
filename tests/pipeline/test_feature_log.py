"""Features that a daemon keeps for research: only where it is told to, on this device alone, and within their size."""

from __future__ import annotations

import csv
import os
import stat
import subprocess
import sys

import pytest

from edge.config.settings import ResearchSettings, Settings
from edge.config.tracking_settings import TrackingSettings
from edge.contracts.clip_model import FEATURES
from edge.pipeline.feature_log import FeatureLog
from edge.pipeline.tracker import Tracker


def written(folder, make, frames: int, max_mb: float = 64.0) -> None:
    log, tracker = (
        FeatureLog(ResearchSettings(features=str(folder), max_mb=max_mb), "cart"),
        Tracker(TrackingSettings()),
    )
    for number in range(frames):
        result = make.finding(number, make.lesion())
        tracker.update(result, number * 66_000_000)
        log.add(tracker, result, number * 66_000_000, "exam")
    log.close()


def test_it_is_off_unless_it_is_asked_for():
    assert Settings().research.features is None


def test_a_file_a_stream_with_a_row_for_each_frame_and_track(tmp_path, make):
    written(tmp_path / "kept", make, 5)
    path = tmp_path / "kept" / "features-cart.csv"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    rows = list(csv.DictReader(path.read_text().splitlines()))
    assert len(rows) == 10
    assert set(FEATURES) <= set(rows[0])
    assert [row["track"] == "" for row in rows] == [True, False] * 5
    written(tmp_path / "kept", make, 1)  # the next run goes on, without another head
    assert path.read_text().count("logit") == 1


def test_it_keeps_within_its_size(tmp_path, make):
    written(tmp_path, make, 3000, max_mb=0.1)
    sizes = [path.stat().st_size for path in tmp_path.iterdir()]
    assert sum(sizes) < 110_000
    assert len(sizes) == 2


def test_what_cannot_be_written_costs_no_frame(tmp_path, make, caplog):
    (tmp_path / "file").write_text("in the way")
    written(tmp_path / "file", make, 3)
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "no more features are kept" in caplog.text


def test_a_full_disk_ends_it_with_one_warning(tmp_path, make, caplog):
    os.symlink("/dev/full", tmp_path / "features-cart.csv")
    log, tracker = FeatureLog(ResearchSettings(features=str(tmp_path)), "cart"), Tracker(TrackingSettings())
    for number in range(500):
        result = make.finding(number)
        tracker.update(result, number)
        log.add(tracker, result, number, "exam")
    log.close()
    assert caplog.text.count("No space left") == 1


@pytest.mark.slow
@pytest.mark.parametrize("asked", [True, False])
def test_a_daemon_keeps_them_and_sends_none(tmp_path, asked):
    environment = {**os.environ, "EDGE_DEVICE": "cart"}
    if asked:
        environment["EDGE_RESEARCH__FEATURES"] = str(tmp_path / "research")
    command = [sys.executable, "-m", "edge.cli.main", "run", "--source", "phantom://?seed=1&frames=20"]
    command += ["--sink", f"jsonl://{tmp_path / 'sent.jsonl'}", "--runtime", "scripted://"]
    command += ["--state-dir", str(tmp_path / "state")]
    done = subprocess.run(command, capture_output=True, env=environment, timeout=120, check=False)
    assert done.returncode == 0, done.stderr.decode()
    sent = (tmp_path / "sent.jsonl").read_text()
    assert sent
    assert not any(f'"{name}"' in sent for name in ("logit", "presence", "motion", "anatomy", "sharpness"))
    kept = list((tmp_path / "research").glob("*")) if asked else []
    assert bool(kept) is asked
    if asked:
        assert len(kept[0].read_text().splitlines()) > 20
    elsewhere = [
        path for path in (tmp_path / "state").rglob("*") if path.is_file() and b"sharpness" in path.read_bytes()
    ]
    assert not [path for path in elsewhere if path.name.startswith("features")]
