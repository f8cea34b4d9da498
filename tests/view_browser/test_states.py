"""Each state of the page in a real browser: words, sizes, contrast, darkness, and a screenshot to be looked at."""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from PIL import Image
from view_browser.conftest import open_page, until
from view_browser.states import STATES, PageState, restore

if TYPE_CHECKING:
    from viewer_rig import ViewerRig

pytestmark = [pytest.mark.opt_in, pytest.mark.timeout(300)]

SIZES = ((800, 480), (1280, 800), (3840, 2160))
OUT = Path(os.environ.get("SONOEDGE_VIEW_OUT", ".view/screenshots"))
MOST_LUMINANCE = 0.10


def luminance(png: bytes) -> float:
    """Mean of the relative luminance of a screenshot, 0 to 1 (WCAG's definition)."""
    picture = np.asarray(Image.open(io.BytesIO(png)).convert("RGB").resize((320, 200)), np.float64) / 255
    linear = np.where(picture <= 0.03928, picture / 12.92, ((picture + 0.055) / 1.055) ** 2.4)
    return float((linear @ (0.2126, 0.7152, 0.0722)).mean())


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
@pytest.mark.parametrize("state", STATES, ids=lambda state: state.name)
def test_state(browser: Any, fresh: ViewerRig, state: PageState, size: tuple[int, int]) -> None:
    page = open_page(browser, fresh, size)
    state.make(fresh)
    until(
        page,
        "([look, says, old]) => document.body.dataset.look === look && document.body.innerText.includes(says)"
        " && document.body.classList.contains('old') === old",
        [state.look, state.says, state.old],
    )
    screenshot = page.screenshot()
    OUT.mkdir(parents=True, exist_ok=True)
    (OUT / f"{state.name}-{size[0]}x{size[1]}.png").write_bytes(screenshot)
    measured = page.evaluate(MEASURE)
    restore(fresh)
    assert page.problems == []
    assert luminance(screenshot) <= MOST_LUMINANCE
    assert measured["state"] >= 0.04 * size[1]
    assert measured["targets"] >= 48
    assert measured["outside"] == []
    page.context.close()


MEASURE = """() => {
  const state = document.getElementById('state');
  const seen = [...document.querySelectorAll('button, a')].filter((each) => each.offsetParent);
  const boxes = seen.map((each) => each.getBoundingClientRect());
  const cut = (id) => {
    const box = document.getElementById(id).getBoundingClientRect();
    return box.height
      && (box.right > innerWidth + 1 || box.bottom > innerHeight + 1 || box.left < -1 || box.top < -1);
  };
  return {
    state: parseFloat(getComputedStyle(state).fontSize),
    targets: Math.min(...boxes.map((box) => Math.min(box.width, box.height))),
    outside: ['state', 'what', 'todo', 'live', 'picture', 'freeze', 'exam', 'language'].filter(cut),
  };
}"""


@pytest.mark.parametrize("state", STATES, ids=lambda state: state.name)
def test_axe_finds_nothing(browser: Any, fresh: ViewerRig, axe: str, state: PageState) -> None:
    page = open_page(browser, fresh, (1280, 800))
    state.make(fresh)
    until(
        page,
        "([look, says]) => document.body.dataset.look === look && document.body.innerText.includes(says)",
        [state.look, state.says],
    )
    page.evaluate(axe)
    found = page.evaluate(
        "() => axe.run({ rules: { 'color-contrast-enhanced': { enabled: true } } })"
        ".then((r) => r.violations.map((v) => "
        "`${v.id}: ${v.nodes.map((n) => n.target.join(' ')).join(', ')}`))"
    )
    assert found == []
    page.context.close()
