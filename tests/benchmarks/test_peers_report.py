"""The peers report: page and chart are made of what was measured, and of nothing else."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ElementTree

import peers_chart
import peers_figures
import peers_report
import pytest


def peer(frames_per_s, **ms):
    return {
        "version": "1.0", "threads": 1, "steps_off": None, "cores": [1.0] * 3,
        "frames_per_s": [frames_per_s * busy for busy in (1.0, 0.5, 0.8)],
        "ms": {point: [[taken] * 10] * 3 for point, taken in ms.items()},
    }  # fmt: skip


@pytest.fixture
def said():
    peers = {
        "bare": peer(100.0, result=10.0),
        "daemon": peer(98.0, result=11.0, ack=12.5),
        "frigate-style": peer(70.0, result=20.0),
        "tflite-runtime": peer(9.0),
    }
    mode = {"name": "two-cores", "paced": True, "broker": "mosquitto", "peers": peers}
    return {
        "peers": {
            "machine": {
                "cpu": "A <CPU> & more", "extensions": [], "cores": 2, "architecture": "x86_64", "kernel": "6.1",
                "cores_busy_before": 0.1,
            },
            "version": "9.9.9", "model": {"name": "breast", "version": "3", "sha256": "ab" * 32}, "date": "2026-01-02",
            "settings": {"rounds": 3, "seconds": 1.0, "paced_seconds": 1.0, "fps": 30.0, "quick": False},
            "minutes": 1.0,
            "modes": {"two-cores": {**mode, "missing": {"openvino": "there is no .venv-peers"}}},
        },
        "streams": {
            "counts": [1, 2], "frames_per_s": {"1": [100.0, 50.0], "2": [99.0, 49.5]},
            "pss_mb": {"1": [140.0, 141.0], "2": [152.0, 153.0]},
            "first_finding_s": [1.2, 1.4], "live_pss_mb": [140.0, 150.0], "quick": False,
        },
        "dicom_jpeg": {
            "pydicom": "3.0.1", "quick": False,
            "kinds": {"grey": {"ours": [300.0], "pydicom": [200.0], "pydicom raw": [250.0]}},
        },
    }  # fmt: skip


def test_goals_are_met_by_their_figures_only(said):
    got = {goal.what.split(",")[0]: (round(goal.got.value, 3), goal.met) for goal in peers_figures.goals(said)}
    assert got == {
        "whole loop / bare `invoke`": (0.98, False),
        "p99(path to ack) - p99(bare) at the pace": (2.5, True),
        "frames/s against the Frigate-style loop (bare `invoke`: 1.43)": (1.4, False),
        "p99 at the pace against the Frigate-style loop": (0.55, False),
        "PSS of all processes": (145.0, True),
        "start to the first finding at a subscriber": (1.3, True),
        "2 streams: total frames/s": (0.99, True),
        "2 streams: PSS for each more": (12.0, False),
        "DICOM JPEG cine 640x480": (1.5, False),
    }


def test_a_goal_that_the_interval_does_not_settle_is_told_as_such():
    from intervals import Estimate

    say = [
        peers_report.verdict(peers_figures.Goal("", sense, 1.0, Estimate(*figures)))
        for sense, figures in ((">=", (1.1, 1.05, 1.2)), (">=", (1.1, 0.9, 1.2)), ("<=", (1.1, 0.9, 1.2)))
    ]
    assert say == ["yes", "yes, not certain", "**no**, not certain"]


def test_what_was_not_measured_has_no_goal(said):
    del said["streams"], said["dicom_jpeg"], said["peers"]["modes"]["two-cores"]["peers"]["daemon"]
    assert peers_figures.goals(said) == []


def test_the_page_tells_what_is_missing_and_why(said):
    page = peers_report.markdown(said)
    assert "Without OpenVINO: there is no .venv-peers." in page
    assert "| 98.0 |" not in page  # the median of 98, 49 and 78.4 is meant
    assert "| **sonoedge**, the daemon | 1.0 | 78.4 | 0.980 (0.980 to 0.980) |" in page
    assert "11.0, 11.0 (11.0 to 11.0) | 12.5, 12.5 (12.5 to 12.5)" in page
    assert "mean nothing" not in page
    assert "busy" not in page.split("## Goals")[0]


@pytest.mark.parametrize("part", ["streams", "dicom_jpeg"])
def test_a_quick_run_says_that_it_means_nothing(said, part):
    said[part]["quick"] = True
    assert "mean nothing" in peers_report.markdown(said)


def test_a_busy_machine_is_told(said):
    said["peers"]["machine"]["cores_busy_before"] = 1.5
    assert "busy" in peers_report.markdown(said).split("## Goals")[0]


def test_the_chart_is_sound_and_shows_everybody(said):
    root = ElementTree.fromstring(peers_chart.chart(said["peers"]))  # noqa: S314  (ours)
    words = [element.text for element in root.iter("{http://www.w3.org/2000/svg}text")]
    assert words.index("bare invoke") < words.index("sonoedge, daemon") < words.index("Frigate-style loop")
    assert "does not keep the pace" in words
    bars = {
        element.get("class"): float(element.get("width"))
        for element in root.iter("{http://www.w3.org/2000/svg}rect")
        if element.get("class") != "ground"
    }
    assert bars["ours"] / bars["limit"] == pytest.approx(0.98, abs=0.01)


@pytest.mark.parametrize("most", [0.7, 1.0, 3.9, 4.1, 33.0, 240.0, 12345.0])
def test_an_axis_holds_all_and_is_not_mostly_empty(most):
    assert most <= peers_chart.nice(most) <= 2 * most + 1e-9 or most < 1.0


def test_nothing_to_report_on_is_one_clear_error(tmp_path, capsys, monkeypatch):
    (tmp_path / "peers.json").write_text("{")
    monkeypatch.setattr("sys.argv", ["peers_report.py", str(tmp_path / "peers.json"), "--out", str(tmp_path)])
    assert peers_report.main() == 2
    assert "hint: make peers writes it" in capsys.readouterr().err


@pytest.mark.slow
def test_the_files_are_written(tmp_path, monkeypatch, said):
    (tmp_path / "peers.json").write_text(json.dumps(said))
    monkeypatch.setattr("sys.argv", ["peers_report.py", str(tmp_path / "peers.json"), "--out", str(tmp_path)])
    assert peers_report.main() == 0
    assert (tmp_path / "peers.md").read_text() == peers_report.markdown(said)
    assert (tmp_path / "peers.svg").read_text().startswith("<svg")
