"""Check of the video decoder: an interlaced clip is tried in a child process."""

from __future__ import annotations

import pytest

from edge.doctor import video
from edge.doctor.video import check_video


def test_an_interlaced_clip_is_tried() -> None:
    (check,) = check_video()
    assert (check.group, check.mark) == ("video", "ok")
    assert "decoded" in check.text


@pytest.mark.parametrize(("outcome", "text"), [("blind", "does not tell"), ("", "crashes")])
def test_a_decoder_that_does_not_tell_is_wrong(outcome: str, text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(video, "_probe_in_child", lambda: outcome)
    (check,) = check_video()
    assert (check.mark, check.exit_code) == ("wrong", 5)
    assert text in check.text
    assert check.hint


def test_a_decoder_that_takes_its_process_with_it_is_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(video, "PROBE", "no.such.module")
    (check,) = check_video()
    assert check.mark == "wrong"
