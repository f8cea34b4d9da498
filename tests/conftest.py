"""What every test may use."""

from __future__ import annotations

import logging
import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from brokers import broker, mosquitto, subscriber  # noqa: F401  (fixtures)
from faults.stuck_driver import StuckDriver, why_not
from hypothesis import settings
from publisher_harness import make_publisher, make_publisher_process  # noqa: F401  (fixtures)
from sqlite_connections import watch_connections

if TYPE_CHECKING:
    from collections.abc import Iterator

# training/ and export/ run from the checkout. At the end of the path: edge is the installed one, never the tree's.
sys.path.append(str(Path(__file__).parents[1]))

settings.register_profile("sonoedge", deadline=None)  # how long an example takes says how busy the machine is
settings.load_profile("sonoedge")

watch_connections()
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # as in the background of a script: children would ignore it too
    signal.signal(signal.SIGINT, signal.default_int_handler)
if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:  # as under nohup
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


@pytest.fixture(autouse=True)
def log_levels() -> Iterator[None]:
    """Keeps what a command that is called in the test's process, or a simulation, sets for all of the process."""
    loggers = [logging.getLogger(), logging.getLogger("edge")]
    before = [(one, one.level, one.propagate, one.disabled) for one in loggers]
    yield
    logging.disable(logging.NOTSET)
    for one, level, propagate, disabled in before:
        one.setLevel(level)
        one.propagate, one.disabled = propagate, disabled


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """The folder of public ultrasound sets; tests that need it skip, and say so, where it is absent."""
    places = [os.environ.get("SONOEDGE_DATA"), Path(__file__).parents[1].parent / "shared" / "data"]
    for place in places:
        if place and (Path(place) / "bus-bra").is_dir():
            return Path(place)
    pytest.skip("ultrasound sets not found: set SONOEDGE_DATA to the folder that holds bus-bra/, dicom/, clips/")


@pytest.fixture(scope="session")
def cases_dir() -> Path:
    """The folder of inputs that once went wrong; tests that need it skip, and say so, where it is absent."""
    places = [os.environ.get("SONOEDGE_CASES"), Path(__file__).parents[1].parent / "shared" / "cases"]
    for place in places:
        if place and (Path(place) / "img").is_dir():
            return Path(place)
    pytest.skip("inputs that went wrong not found: set SONOEDGE_CASES to the folder that holds dcm/, img/, vid/")


@pytest.fixture(scope="session")
def unkillable(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Skips tests where no process can be made unkillable (state D): needs root, /dev/fuse, libfuse 2 and mfusepy."""
    why = why_not(tmp_path_factory.mktemp("unkillable"))
    if why:
        pytest.skip(why)


@pytest.fixture
def stuck_driver(unkillable: None, tmp_path: Path) -> Iterator[StuckDriver]:
    """A file that does not answer: who reads it cannot be killed until ``release``, or the end of the test."""
    with StuckDriver(tmp_path) as driver:
        yield driver


@pytest.fixture(scope="session")
def hostile_dir() -> Path:
    """The folder of files that hung or broke decoders; tests that need it skip, and say so, where it is absent."""
    place = Path(os.environ.get("SONOEDGE_HOSTILE") or Path(__file__).parents[1].parent / "shared" / "hostile")
    if not place.is_dir():
        pytest.skip("hostile files not found: set SONOEDGE_HOSTILE to the folder that holds them")
    return place
