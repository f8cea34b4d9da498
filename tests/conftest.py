"""What every test may use."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from brokers import broker, mosquitto, subscriber  # noqa: F401  (fixtures)
from hypothesis import settings
from publisher_harness import make_publisher, make_publisher_process  # noqa: F401  (fixtures)

# training/ and export/ run from the checkout. At the end of the path: edge is the installed one, never the tree's.
sys.path.append(str(Path(__file__).parents[1]))

settings.register_profile("sonoedge", deadline=None)  # how long an example takes says how busy the machine is
settings.load_profile("sonoedge")


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """The folder of public ultrasound sets; tests that need it skip, and say so, where it is absent."""
    places = [os.environ.get("SONOEDGE_DATA"), Path(__file__).parents[1].parent / "shared" / "data"]
    for place in places:
        if place and (Path(place) / "bus-bra").is_dir():
            return Path(place)
    pytest.skip("ultrasound sets not found: set SONOEDGE_DATA to the folder that holds bus-bra/, dicom/, clips/")


@pytest.fixture(scope="session")
def hostile_dir() -> Path:
    """The folder of files that hung or broke decoders; tests that need it skip, and say so, where it is absent."""
    place = Path(os.environ.get("SONOEDGE_HOSTILE") or Path(__file__).parents[1].parent / "shared" / "hostile")
    if not place.is_dir():
        pytest.skip("hostile files not found: set SONOEDGE_HOSTILE to the folder that holds them")
    return place
