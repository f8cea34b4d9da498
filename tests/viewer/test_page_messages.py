"""What the page is told, asked by WebSocket without a browser: pictures with their results, states, history, orders."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

pytest.importorskip("starlette", reason="the extra viewer is not installed")

from viewer_page import ViewerPage  # noqa: TC002
from viewer_rig import Scene, ViewerRig, wait_for

from edge.contracts.frames import SourceEvent
from edge.contracts.results import Reason, Status


@pytest.fixture(autouse=True)
def as_before(rig: ViewerRig) -> None:
    for name in rig.streams:
        rig.show(name, Scene())
    rig.turns, rig.keeps, rig.reasons = True, True, []


def test_a_message_is_a_picture_with_its_own_result(page: ViewerPage) -> None:
    header, pictures = page.until(lambda got: got["frame"] is not None)
    assert header["kind"] == "live"
    frame = header["frame"]
    picture = cv2.imdecode(np.frombuffer(pictures[0], np.uint8), cv2.IMREAD_COLOR)
    assert picture.shape[:2] == (frame["box"][3], frame["box"][2])
    assert (frame["status"], frame["suspicious"], frame["malignancy"]) == ("finding", True, 0.86)
    kinds = [shape["kind"] for shape in frame["shapes"]]
    assert kinds == ["outline", "long_axis", "short_axis", "scale"]
    assert 0 < frame["age_ms"] < 60_000
    assert frame["lesions"][0]["place"]
    assert header["device"]["name"] == "cart-7"
    assert [each["name"] for each in header["others"]] == ["second"]
    assert len(pictures) == 2  # the other stream, small


def test_there_is_nothing_to_catch_up_after_a_pause(page: ViewerPage) -> None:
    first = page.until(lambda got: got["frame"] is not None)[0]["frame"]["seq"]
    wait_for(lambda: page_seq(page) > first)
    header, _ = page.live(after=-1)
    assert header["frame"]["age_ms"] < 60_000
    page.ask("live", after=-1)
    page.ask("live", after=-1)  # one that has not been answered is enough
    assert page.answer()[0]["kind"] == "live"


def page_seq(page: ViewerPage) -> int:
    return int(page.live()[0]["frame"]["seq"])


@pytest.mark.parametrize("reason", [Reason.SCAN_AREA_UNKNOWN, None])
def test_without_a_scan_area_no_pixel_leaves_the_viewer(
    rig: ViewerRig, page: ViewerPage, reason: Reason | None
) -> None:
    status = Status.FINDING if reason is None else Status.ABSTAINED
    for name in rig.streams:
        rig.show(name, Scene(status=status, reason=reason, scan_area=False))
    page.until(lambda got: bool(got["frame"]) and got["frame"]["box"] is None)
    header, pictures = page.until(lambda got: bool(got["frame"]) and not any(each["picture"] for each in got["others"]))
    assert header["frame"]["box"] is None
    assert pictures == []
    assert header["frame"]["shapes"] == []


def test_what_lies_outside_of_the_scan_is_black(rig: ViewerRig, page: ViewerPage) -> None:
    white = np.full((360, 480), 255, np.uint8)
    rig.show("cart", Scene(Status.CLEAR, pixels=white, outline=((240, 40), (400, 300), (80, 300))))
    _, pictures = page.until(lambda got: bool(got["frame"]) and got["frame"]["box"] == [80, 40, 321, 261])
    shown = cv2.imdecode(np.frombuffer(pictures[0], np.uint8), cv2.IMREAD_GRAYSCALE)
    assert shown.shape == (261, 321)
    assert shown[:60, :60].max() < 20
    assert shown[:60, -60:].max() < 20
    assert shown[200:250, 100:220].min() > 235


def test_a_lost_source_reaches_the_page_and_is_over_with_the_next_frame(rig: ViewerRig, page: ViewerPage) -> None:
    page.until(lambda got: got["frame"] is not None)
    rig.event("cart", SourceEvent("lost", Reason.SOURCE_LOST))
    header, _ = page.until(lambda got: got["stream"]["event"] is not None)
    assert header["stream"]["event"] == {"kind": "lost", "reason": "source_lost"}
    rig.show("cart", Scene())
    page.until(lambda got: got["stream"]["event"] is None and not got["stream"]["lost"])


def test_a_frame_process_that_hangs_is_told(rig: ViewerRig, page: ViewerPage) -> None:
    page.until(lambda got: not got["device"]["down"])
    rig.turns = False
    page.until(lambda got: got["device"]["down"])
    rig.turns = True
    page.until(lambda got: not got["device"]["down"])


def test_what_the_publisher_says_reaches_the_page(rig: ViewerRig, page: ViewerPage) -> None:
    rig.tell_publisher("mqtt://broker:unreachable")
    page.until(lambda got: "mqtt://broker:unreachable" in got["device"]["reasons"])
    rig.tell_publisher()
    page.until(lambda got: "mqtt://broker:unreachable" not in got["device"]["reasons"])


def test_frozen_frames_can_be_stepped_through_and_are_gone_with_the_exam(rig: ViewerRig, page: ViewerPage) -> None:
    def kept() -> list[int]:
        page.live()
        page.ask("freeze", seq=-1)
        seqs = page.of_kind("frozen")[0]["seqs"]
        page.ask("release")
        return list(seqs) if len(seqs) >= 3 else []

    wait_for(kept)
    page.ask("freeze", seq=-1)
    header, _ = page.of_kind("frozen")
    seqs = header["seqs"]
    assert header["frame"]["seq"] == seqs[-1]
    page.ask("frame", seq=seqs[0])
    header, pictures = page.of_kind("frozen")
    assert header["frame"]["seq"] == seqs[0]
    assert pictures[0][:2] == b"\xff\xd8"
    before = header["frame"]["exam"]
    page.ask("exam")
    assert page.of_kind("done")[0]["error"] is None
    page.ask("frame", seq=seqs[0])
    assert page.of_kind("gone")
    header, _ = page.until(lambda got: got["frame"] is not None)
    assert header["frame"]["exam"] != before
    assert header["stream"]["exam"] == header["frame"]["exam"]


def test_agreement_is_kept_or_told_as_not_kept(rig: ViewerRig, page: ViewerPage) -> None:
    frame = page.until(lambda got: bool(got["frame"]) and got["frame"]["lesions"][0]["id"] is not None)[0]["frame"]
    page.ask("freeze", seq=frame["seq"])
    frame = page.of_kind("frozen")[0]["frame"]
    finding = frame["lesions"][0]["id"]
    page.ask("feedback", seq=frame["seq"], finding=finding, agrees=False)
    assert page.of_kind("done")[0]["error"] is None
    answer = rig.feedback[-1]
    assert (answer.finding_id, answer.frame_seq, answer.agrees, answer.exam_id) == (
        finding,
        frame["seq"],
        False,
        frame["exam"],
    )
    rig.keeps = False
    page.ask("feedback", seq=frame["seq"], finding=finding, agrees=True)
    assert page.of_kind("done")[0]["error"] == "not_kept"
    page.ask("feedback", seq=frame["seq"], finding="another", agrees=True)
    assert page.of_kind("done")[0]["error"] == "unknown_finding"
    page.ask("release")
