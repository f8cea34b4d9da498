"""Fixtures of the fleet tests: a device's messages, fed to a ledger."""

from __future__ import annotations

import pytest
from device_messages import DeviceMessages

from edge.fleet.ledger import Ledger


@pytest.fixture
def device() -> DeviceMessages:
    return DeviceMessages(Ledger())
