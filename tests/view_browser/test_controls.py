"""Every control of the page, by mouse, by touch and by keyboard, in a real browser."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from view_browser.conftest import open_page, until
from viewer_rig import Scene, ViewerRig, wait_for

from edge.config.view_settings import ViewSettings
from edge.contracts.frames import SourceEvent
from edge.contracts.results import Reason

pytestmark = [pytest.mark.opt_in, pytest.mark.timeout(300)]
OUT = Path(os.environ.get("SONOEDGE_VIEW_OUT", ".view/screenshots"))
WAYS = ("mouse", "touch", "keyboard")


def press(page: Any, way: str, element: str) -> None:
    """Presses a button of the page: by mouse, by a finger, or by tabbing to it and pressing Enter."""
    if way == "mouse":
        page.click(element)
    elif way == "touch":
        page.tap(element)
    else:
        page.focus(element)
        page.keyboard.press("Enter")


def shoot(page: Any, name: str) -> None:
    OUT.mkdir(parents=True, exist_ok=True)
    (OUT / f"{name}-1280x800.png").write_bytes(page.screenshot())


@pytest.fixture
def touched(browser: Any, fresh: ViewerRig) -> Any:
    page = open_page(browser, fresh, (1280, 800), has_touch=True)
    yield page
    assert page.problems == []
    page.context.close()


def text(page: Any, element: str) -> str:
    return str(page.inner_text(element))


@pytest.mark.parametrize("way", WAYS)
def test_freeze_step_and_back_to_live(touched: Any, fresh: ViewerRig, way: str) -> None:
    page = touched
    first = int(page.evaluate("() => document.body.dataset.seq"))
    wait_for(lambda: int(page.evaluate("() => document.body.dataset.seq")) > first + 5)
    press(page, way, "#freeze")
    until(page, "() => document.getElementById('live-word').textContent === 'FROZEN HERE'")
    newest = int(page.evaluate("() => document.body.dataset.seq"))
    for _ in range(3):
        before = int(page.evaluate("() => document.body.dataset.seq"))
        press(page, way, "#back")
        until(page, "(seq) => Number(document.body.dataset.seq) < seq", before)
    if way == "mouse":
        shoot(page, "frozen")
    before = int(page.evaluate("() => document.body.dataset.seq"))
    assert before < newest
    press(page, way, "#forward")
    until(page, "(seq) => Number(document.body.dataset.seq) > seq", before)
    press(page, way, "#freeze")
    until(page, "(seq) => Number(document.body.dataset.seq) > seq", newest)
    until(page, "() => document.getElementById('live-word').textContent === 'LIVE'")


def test_keys_without_a_focus(touched: Any) -> None:
    page = touched
    page.keyboard.press("Space")
    until(page, "() => document.getElementById('live-word').textContent === 'FROZEN HERE'")
    before = int(page.evaluate("() => document.body.dataset.seq"))
    page.keyboard.press("ArrowLeft")
    until(page, "(seq) => Number(document.body.dataset.seq) < seq", before)
    page.keyboard.press("f")
    until(page, "() => document.getElementById('live-word').textContent === 'LIVE'")
    page.keyboard.press("d")
    assert page.evaluate("() => document.documentElement.style.getPropertyValue('--brightness')") == "0.5"


@pytest.mark.parametrize("way", WAYS)
def test_agree_and_disagree(touched: Any, fresh: ViewerRig, way: str) -> None:
    for agrees in (True, False):
        fresh.feedback.clear()
        button = f"[data-agrees='{str(agrees).lower()}']"
        press(touched, way, button)
        answer = wait_for(lambda: fresh.feedback and fresh.feedback[-1])
        assert (answer.agrees, answer.finding_id) == (agrees, fresh.finding_id)
        until(
            touched,
            "(agrees) => document.querySelector(`[data-agrees='${agrees}']`).getAttribute('aria-pressed') === 'true'",
            agrees,
        )
    fresh.keeps = False
    press(touched, way, "[data-agrees='true']")
    until(touched, "() => document.getElementById('toast').textContent.includes('NOT kept')")


@pytest.mark.parametrize("way", WAYS)
def test_exam_ends_with_two_presses_and_nothing_of_it_stays(touched: Any, fresh: ViewerRig, way: str) -> None:
    page, before = touched, dict(fresh.exams)
    fresh.fps = 2.0  # the first picture of the next exam takes its time
    press(page, way, "#exam")
    until(page, "() => document.getElementById('exam').textContent.includes('Press again')")
    assert fresh.exams == before
    fresh.show("cart", None)
    press(page, way, "#exam")
    until(page, "() => document.getElementById('state').textContent === 'WAITING'")
    assert fresh.exams != before
    assert page.evaluate("() => document.getElementById('picture').width") == 1
    assert page.evaluate("() => document.getElementById('shapes').childElementCount") == 0
    assert text(page, "#facts") == ""
    if way == "mouse":
        shoot(page, "exam-begun")
    fresh.fps = 25.0
    fresh.show("cart", Scene())
    until(page, "() => document.getElementById('live-word').textContent === 'LIVE'")


@pytest.mark.parametrize("way", WAYS)
def test_report_goes_to_the_browser(touched: Any, way: str, tmp_path: Path) -> None:
    page = touched
    press(page, way, "#report")
    until(page, "() => document.getElementById('report-dialog').open")
    until(page, "() => document.getElementById('live-word').textContent === 'FROZEN HERE'")
    if way == "mouse":
        shoot(page, "report-dialog")
    found = {}
    for suffix in ("html", "png", "json"):
        with page.expect_download() as download:
            press(page, way, f"#report-{suffix}")
        found[suffix] = tmp_path / f"report.{suffix}"
        download.value.save_as(found[suffix])
    assert json.loads(found["json"].read_text())["frame"]["status"] == "finding"
    assert found["png"].read_bytes()[:4] == b"\x89PNG"
    words = found["html"].read_text()
    assert "http" not in words
    assert "Research use only" in words
    press(page, way, "#report-close")
    until(page, "() => !document.getElementById('report-dialog').open")


@pytest.mark.parametrize("way", WAYS)
def test_dim_and_language(touched: Any, way: str) -> None:
    press(touched, way, "#dim")
    assert touched.evaluate("() => document.documentElement.style.getPropertyValue('--brightness')") == "0.5"
    press(touched, way, "#language")
    until(touched, "() => document.getElementById('state').textContent === '病灶'")
    assert touched.evaluate("() => document.documentElement.lang") == "zh-CN"


def test_chinese_is_chosen_by_the_browser(browser: Any, fresh: ViewerRig) -> None:
    page = open_page(browser, fresh, (1280, 800), locale="zh-CN")
    until(page, "() => document.getElementById('state').textContent === '病灶'")
    shoot(page, "finding-zh")
    page.context.close()


def test_a_viewer_that_was_killed_is_live_again_by_itself(touched: Any, fresh: ViewerRig) -> None:
    killed = fresh.child.child
    assert killed is not None
    killed.kill(5.0)
    wait_for(lambda: fresh.child.child not in (None, killed))
    seq = int(touched.evaluate("() => document.body.dataset.seq"))
    until(touched, "(seq) => Number(document.body.dataset.seq) > seq + 3", seq)
    until(touched, "() => document.getElementById('live-word').textContent === 'LIVE'")


@pytest.mark.parametrize("way", WAYS)
def test_where_the_model_looks(browser: Any, way: str) -> None:
    rig = ViewerRig(maps=True)
    try:
        page = open_page(browser, rig, (1280, 800), has_touch=True)
        assert not page.is_visible("#why")
        press(page, way, "#freeze")
        until(page, "() => document.getElementById('live-word').textContent === 'FROZEN HERE'")
        press(page, way, "#why")
        until(page, "() => document.querySelectorAll('#shapes [data-kind=map] rect').length > 3")
        until(page, "() => document.getElementById('legend').textContent.startsWith('Occlusion map')")
        if way == "mouse":
            shoot(page, "occlusion")
        press(page, way, "#why")
        until(page, "() => document.querySelectorAll('#shapes [data-kind=map]').length === 0")
        assert page.problems == []
        page.context.close()
    finally:
        rig.close()


def test_of_several_streams_one_is_large_and_all_others_small(browser: Any) -> None:
    rig = ViewerRig(streams=("cart", "second", "third"))
    try:
        rig.event("third", SourceEvent("lost", Reason.SOURCE_LOST))
        page = open_page(browser, rig, (1280, 800))
        until(page, "() => document.querySelectorAll('#others button').length === 2")
        until(page, "() => document.querySelectorAll('#others button')[1].textContent.includes('NO RESULT')")
        shoot(page, "several-streams")
        page.click("#others button")
        until(page, "() => document.getElementById('source').textContent.includes('stream second')")
        until(page, "() => document.getElementById('live-word').textContent === 'LIVE'")
        page.context.close()
    finally:
        rig.close()


def test_the_token_is_asked_for_once(browser: Any, tmp_path: Path) -> None:
    (tmp_path / "token").write_text("a-long-token-of-this-device\n")
    rig = ViewerRig(view=ViewSettings(enabled=True, port=0, token_file=str(tmp_path / "token")))
    try:
        context = browser.new_context(viewport={"width": 1280, "height": 800})
        page = context.new_page()
        page.goto(rig.address)
        until(page, "() => document.getElementById('token-dialog').open")
        shoot(page, "token")
        page.fill("#token", "wrong")
        page.keyboard.press("Enter")
        until(page, "() => document.getElementById('token-wrong').textContent !== ''")
        page.fill("#token", "a-long-token-of-this-device")
        page.keyboard.press("Enter")
        until(page, "() => document.getElementById('live-word').textContent === 'LIVE'")
        page.reload()
        until(page, "() => document.getElementById('live-word').textContent === 'LIVE'")
        context.close()
        other = browser.new_context().new_page()  # the token behind the hash of an address, as a QR code has it
        other.goto(f"{rig.address}#token=a-long-token-of-this-device")
        until(other, "() => document.getElementById('live-word').textContent === 'LIVE'")
        assert "token" not in other.url
        other.context.close()
    finally:
        rig.close()
