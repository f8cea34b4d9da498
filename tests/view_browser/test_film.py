"""Film of ten seconds for the docs, made of screenshots: a phantom, nothing found, no contact, source lost and back."""

from __future__ import annotations

import io
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from PIL import Image
from view_browser.conftest import open_page
from viewer_rig import Scene, ViewerRig

from edge.contracts.frames import SourceEvent
from edge.contracts.results import Reason, Status

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = [pytest.mark.opt_in, pytest.mark.timeout(300)]
OUT = Path(os.environ.get("SONOEDGE_VIEW_OUT", ".view/screenshots"))
A_SECOND = 5
SCENES: tuple[tuple[float, Callable[[ViewerRig], None]], ...] = (
    (0.0, lambda rig: rig.show("cart", Scene())),
    (3.0, lambda rig: rig.show("cart", Scene(Status.CLEAR, malignancy=0.06))),
    (4.6, lambda rig: rig.show("cart", Scene(Status.ABSTAINED, Reason.NO_CONTACT))),
    (6.2, lambda rig: rig.event("cart", SourceEvent("lost", Reason.SOURCE_LOST))),
    (8.2, lambda rig: rig.show("cart", Scene())),
)


def test_film(browser: Any, fresh: ViewerRig) -> None:
    page = open_page(browser, fresh, (1280, 800))
    began, frames, waiting = time.monotonic(), [], list(SCENES)
    for number in range(10 * A_SECOND):
        time.sleep(max(0.0, began + number / A_SECOND - time.monotonic()))
        while waiting and number / A_SECOND >= waiting[0][0]:
            waiting.pop(0)[1](fresh)
        frames.append(Image.open(io.BytesIO(page.screenshot())).convert("RGB").resize((640, 400), Image.LANCZOS))
    OUT.mkdir(parents=True, exist_ok=True)
    film = OUT / "film.webp"
    frames[0].save(
        film, save_all=True, append_images=frames[1:], duration=1000 // A_SECOND, loop=0, quality=45, method=4
    )
    assert film.stat().st_size < 2_000_000
    page.context.close()
