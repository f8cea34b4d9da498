"""What the tests of the fleet share."""

from __future__ import annotations

import pytest
from paper_device import Paper

from edge.fleet.ledger import Ledger


@pytest.fixture
def paper() -> Paper:
    return Paper(Ledger())
