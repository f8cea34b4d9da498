"""A real browser, Debian's Chromium driven by Playwright, in front of a real viewer process."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from view_browser.states import restore
from viewer_rig import ViewerRig, wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator

CHROMIUM = shutil.which("chromium")


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    playwright = pytest.importorskip("playwright.sync_api", reason="pip install playwright; see make view")
    pytest.importorskip("starlette", reason="the extra viewer is not installed")
    if CHROMIUM is None:
        pytest.skip("needs Debian's chromium on PATH")
    with playwright.sync_playwright() as started:
        made = started.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield made
        made.close()


@pytest.fixture(scope="session")
def axe() -> str:
    """Source of axe-core, or nothing where it is not installed."""
    path = Path(os.environ.get("SONOEDGE_AXE", ".view/node_modules/axe-core/axe.min.js"))
    if not path.is_file():
        pytest.skip("needs axe-core: npm install --prefix .view axe-core, or SONOEDGE_AXE=axe.min.js")
    return path.read_text()


@pytest.fixture(scope="module")
def rig() -> Iterator[ViewerRig]:
    made = ViewerRig()
    yield made
    restore(made)
    made.close()


@pytest.fixture
def fresh(rig: ViewerRig) -> Iterator[ViewerRig]:
    restore(rig)
    yield rig
    restore(rig)


@pytest.fixture
def opened(browser: Any, fresh: ViewerRig) -> Iterator[Any]:
    """A page of 1280 x 800 that shows a finding, live."""
    page = open_page(browser, fresh, (1280, 800))
    yield page
    page.context.close()


def open_page(browser: Any, rig: ViewerRig, size: tuple[int, int], **options: Any) -> Any:
    """Opens the page, and waits until it shows a picture that is live; what it says to the console fails the test."""
    context = browser.new_context(viewport={"width": size[0], "height": size[1]}, **options)
    page = context.new_page()
    page.problems = []
    page.on("pageerror", lambda error: page.problems.append(str(error)))
    page.goto(rig.address)
    until(page, "() => document.body.dataset.look === 'finding' && !document.body.classList.contains('old')")
    return page


def until(page: Any, expression: str, arg: Any = None) -> None:
    """Waits until a JavaScript function says true. Playwright's own way needs ``eval``, which is forbidden."""
    wait_for(lambda: page.evaluate(expression, arg), expression)
