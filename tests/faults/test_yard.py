"""A short round through the breaking yard, the same every time; ``make torture`` is the long one."""

from __future__ import annotations

import os
import subprocess

import pytest
from faults.cart import FRAME, PUBLISHER, RUNTIME
from faults.faults import (
    AclRefuses,
    BrokerAway,
    BrokerFrozen,
    DiskFull,
    KillBroker,
    KillChild,
    KillDaemon,
    LinkCut,
    LinkStalled,
)
from faults.yard import Yard

pytestmark = [pytest.mark.broker, pytest.mark.slow]


@pytest.fixture(autouse=True)
def needs_mosquitto(mosquitto):
    """Skips where there is none."""


def can_mount(folder):
    if os.geteuid() != 0:
        return False
    folder.mkdir()
    options = ["mount", "-t", "tmpfs", "-o", "size=1m", "probe", str(folder)]
    if subprocess.run(options, check=False, capture_output=True).returncode != 0:
        return False
    subprocess.run(["umount", str(folder)], check=True)
    return True


def run(yard, faults):
    with yard:
        for _ in yard.torture(faults, (0.1, 0.4), in_full_swing=True):
            pass
        return yard.settle()


def assert_sound(outcome):
    account = outcome.account
    assert account.violations == []
    assert account.foreign == []
    assert outcome.undelivered == 0
    assert outcome.fell_over == 0
    assert account.produced > 50


def test_nothing_is_missing_while_the_broker_keeps_what_it_acknowledged(tmp_path):
    faults = [KillDaemon(), LinkCut(700), KillChild(FRAME), LinkStalled(0.5, then_cut=True, answers_only=True)]
    faults += [KillChild(PUBLISHER), AclRefuses(0.5), KillChild(RUNTIME), LinkStalled(0.5, then_cut=True)]
    faults += [BrokerFrozen(0.5)]
    outcome = run(Yard(tmp_path / "yard", seed=1), faults)
    assert_sound(outcome)
    assert outcome.account.missing == []
    assert outcome.account.duplicates > 0  # that were told apart


def test_a_broker_that_forgets_loses_nothing_that_cannot_be_asked_for_again(tmp_path):
    faults = [KillBroker(0.2), KillDaemon(), BrokerAway(0.3)]
    outcome = run(Yard(tmp_path / "yard", seed=2, persistence=False), faults)
    assert_sound(outcome)
    assert outcome.repairable == len(outcome.account.missing)


def test_a_full_disk_loses_nothing(tmp_path):
    if not can_mount(tmp_path / "probe"):
        pytest.skip("a tmpfs cannot be mounted here")
    outcome = run(Yard(tmp_path / "yard", seed=3, tmpfs_mb=16), [DiskFull(1.0), KillDaemon()])
    assert_sound(outcome)
    assert outcome.account.missing == []
