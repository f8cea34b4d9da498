"""Viewer processes for tests, and a browser's side of the WebSocket without a browser."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from viewer_rig import ViewerRig

if TYPE_CHECKING:
    from collections.abc import Iterator

    from viewer_page import ViewerPage


@pytest.fixture(scope="module")
def rig() -> Iterator[ViewerRig]:
    """A viewer process with the streams cart and second; tests leave them as they found them."""
    made = ViewerRig(streams=("cart", "second"))
    yield made
    made.close()


@pytest.fixture
def page(rig: ViewerRig) -> Iterator[ViewerPage]:
    """A page that is connected to the rig's viewer."""
    from viewer_page import connected

    with connected(rig.address) as found:
        yield found
