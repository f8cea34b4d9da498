"""Checks of sources that give frames, give none, hang or crash."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from edge.config.settings import CalibrationSettings, Settings, StreamSettings
from edge.doctor import source_child, sources

if TYPE_CHECKING:
    from pathlib import Path

    from edge.doctor.check import Check


def seen(source: str, **stream: Any) -> Check:
    settings = Settings(streams=[StreamSettings(name="cart-1", source=source, **stream)])
    (check,) = sources.check_sources(settings)
    return check


@pytest.mark.slow
def test_a_source_gives_a_frame(tmp_path: Path) -> None:
    assert seen("phantom://?seed=1").text.startswith("gives frames of ")
    assert next(iter(sources.check_sources(Settings()))).mark == "absent"


def test_sources_that_give_none(tmp_path: Path) -> None:
    gone = seen(f"video://{tmp_path}/none.mp4")
    assert (gone.mark, gone.exit_code) == ("wrong", 5)
    assert str(tmp_path) not in gone.name  # a file may be called after a patient
    unknown = seen("nonesuch://")
    assert (unknown.mark, unknown.exit_code) == ("wrong", 3)
    assert seen("phantom://?nonsense=1").exit_code == 3


@pytest.mark.slow
@pytest.mark.parametrize("does", ["import time; time.sleep(60)", "import os; os.kill(os.getpid(), 11)"])
def test_a_source_that_hangs_or_crashes_is_left_behind(
    does: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "unlucky.py").write_text(does)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setattr(sources, "CHILD", "unlucky")
    monkeypatch.setattr(sources, "CHILD_TIMEOUT_S", 2.0)
    check = seen("phantom://?seed=1")
    assert (check.mark, check.exit_code) == ("wrong", 5)


def test_the_child_gives_up_before_the_parent_does() -> None:
    assert source_child.PROBE_S < sources.CHILD_TIMEOUT_S


@pytest.mark.slow
def test_a_picture_is_seen_as_the_daemon_will_see_it(tmp_path: Path) -> None:
    """What each frame would fail by is told before a patient comes."""
    box = {"mm_x": 0.1, "mm_y": 0.1}
    turned = seen("phantom://?seed=1&width=320&height=240", rotate=90, crop=(0, 10, 200, 100))
    assert (turned.mark, turned.text) == ("ok", "gives frames of 200 x 100; 320 x 240 before rotate and crop")
    outside = seen("phantom://?seed=1&width=320&height=240", crop=(200, 100, 200, 100))
    assert outside.mark == "wrong"
    assert outside.text == "crop [200, 100, 200, 100] is not within the picture of 320 x 240 pixels"
    other = CalibrationSettings(box=(0, 0, 320, 240), **box)
    uncovered = seen("phantom://?seed=1&width=320&height=240", rotate=90, calibration=other)
    assert uncovered.mark == "wrong"
    assert uncovered.text == "calibration.box [0, 0, 320, 240] is not within the picture of 240 x 320 pixels"
    assert seen("phantom://?seed=1&width=320&height=240", calibration=other).mark == "ok"
