"""Fault injection, a short round that is the same every time; ``make torture`` is the long one."""

from __future__ import annotations

import os
import subprocess

import pytest
from faults import clock
from faults.disk import Damage, DiskFull, DiskFullWithBacklog, ReadOnly, StartOnFullDisk
from faults.fault_harness import FaultHarness
from faults.faults import (
    AclRefuses,
    BrokerAway,
    BrokerFrozen,
    ClockSet,
    ConsumerAway,
    DriverStuck,
    KillBroker,
    KillChild,
    KillDaemon,
    LinkCut,
    LinkStalled,
    Poisoned,
    Twin,
)
from faults.input_faults import HostileInput, ModelSwapped
from faults.loaded_daemon import FRAME, PUBLISHER, RUNTIME
from faults.scenarios import SHORT_QUEUE
from hostile_bytes import HOSTILE

pytestmark = [pytest.mark.broker, pytest.mark.slow]


@pytest.fixture(autouse=True)
def needs_mosquitto(mosquitto):
    """Skips the tests where there is no mosquitto."""


def can_mount(folder):
    """Whether a tmpfs can be mounted at ``folder``."""
    if os.geteuid() != 0:
        return False
    folder.mkdir()
    options = ["mount", "-t", "tmpfs", "-o", "size=1m", "probe", str(folder)]
    if subprocess.run(options, check=False, capture_output=True).returncode != 0:
        return False
    subprocess.run(["umount", str(folder)], check=True)
    return True


def run(harness, faults):
    """Inject ``faults`` into ``harness``; the outcome."""
    with harness:
        for _ in harness.inject_all(faults, (0.1, 0.4), wait_for_work=True):
            pass
        return harness.finish()


def assert_sound(outcome, least=21):
    """Assert `Outcome.sound` part by part, so that a failure says which; ``least``: messages that were made."""
    account = outcome.account
    assert account.violations == []
    assert account.foreign == []
    assert outcome.missing == []
    assert outcome.ledger_disagrees == []
    assert outcome.undelivered == 0
    assert outcome.fell_over == 0
    assert outcome.sound
    assert account.produced >= least


def test_nothing_is_missing_while_the_broker_keeps_what_it_acknowledged(tmp_path):
    faults = [KillDaemon(), LinkCut(700), KillChild(FRAME), LinkStalled(0.5, then_cut=True, answers_only=True)]
    faults += [KillChild(PUBLISHER), AclRefuses(0.5), KillChild(RUNTIME), LinkStalled(0.5, then_cut=True)]
    faults += [BrokerFrozen(0.5), Twin(0.3)]
    outcome = run(FaultHarness(tmp_path / "yard", seed=1), faults)
    assert_sound(outcome)
    assert outcome.missing_first_pass == 0
    assert outcome.account.duplicates > 0  # that were told apart


def test_messages_that_nobody_can_read_end_neither_the_daemon_nor_its_consumer(tmp_path):
    harness = FaultHarness(tmp_path / "yard", seed=6)
    outcome = run(harness, [Poisoned(), KillChild(PUBLISHER), Poisoned(), KillBroker(0.2), KillDaemon()])
    assert_sound(outcome)
    assert harness.consumer.ledger.rejected()["yard", "cart"].unreadable > len(HOSTILE)


def test_what_a_broker_forgets_or_has_no_room_for_is_asked_for_again(tmp_path):
    faults = [ConsumerAway(2.5), KillBroker(0.2), KillDaemon(), BrokerAway(0.3)]
    outcome = run(FaultHarness(tmp_path / "yard", seed=2, persistence=False, broker_lines=SHORT_QUEUE), faults)
    assert_sound(outcome)
    assert outcome.missing_first_pass > 0  # else nothing was shown
    assert outcome.repairable == outcome.missing_first_pass


def test_a_disk_that_takes_nothing_for_a_while_loses_nothing(tmp_path):
    if not can_mount(tmp_path / "probe"):
        pytest.skip("a tmpfs cannot be mounted here")
    outcome = run(FaultHarness(tmp_path / "yard", seed=3, tmpfs_mb=16), [DiskFull(1.0), KillDaemon(), ReadOnly(0.5)])
    assert_sound(outcome)
    assert outcome.missing_first_pass == 0


def test_a_full_disk_repeats_no_more_than_its_backlog_for_each_connection(tmp_path):
    if not can_mount(tmp_path / "probe"):
        pytest.skip("a tmpfs cannot be mounted here")
    faults = [DiskFullWithBacklog(), StartOnFullDisk(), KillDaemon()]
    outcome = run(FaultHarness(tmp_path / "yard", seed=6, tmpfs_mb=16), faults)
    assert_sound(outcome)
    assert outcome.missing_first_pass == 0


@pytest.mark.opt_in
@pytest.mark.timeout(2400)
def test_ten_minutes_on_a_full_disk_with_a_backlog(tmp_path):
    """``make full-disk``: longer than the queue in memory lasts; what did not fit there is told, and never sent."""
    if not can_mount(tmp_path / "probe"):
        pytest.skip("a tmpfs cannot be mounted here")
    minutes = float(os.environ.get("SONOEDGE_FULL_DISK_MIN", "10"))
    harness = FaultHarness(tmp_path / "yard", seed=9, tmpfs_mb=64)
    outcome = run(harness, [DiskFullWithBacklog(60 * minutes, 15.0, reconnects=10)])
    print(
        f"{minutes:g} minutes: {harness.told[0]}; {outcome.account.produced} committed, {len(outcome.missing)} missing"
    )
    assert_sound(outcome)
    assert outcome.missing_first_pass == 0


def test_a_damaged_outbox_is_set_aside_and_costs_what_was_destroyed_in_it(tmp_path):
    faults = [Damage("truncated"), Damage("bits flipped"), Damage("older copy")]
    outcome = run(FaultHarness(tmp_path / "yard", seed=4), faults)
    assert_sound(outcome)
    assert outcome.epochs >= 3


def test_a_clock_that_jumps_loses_nothing(tmp_path):
    if clock.compiler() is None:
        pytest.skip("there is no C compiler to make a clock with")
    outcome = run(FaultHarness(tmp_path / "yard", seed=5, with_clock=True), [ClockSet(), ClockSet()])
    assert_sound(outcome)
    assert outcome.missing_first_pass == 0


def test_a_runtime_that_cannot_be_killed_loses_nothing(tmp_path, unkillable):
    faults = [DriverStuck(0.3), KillChild(FRAME), DriverStuck(0.3), KillChild(RUNTIME), DriverStuck(0.3)]
    outcome = run(FaultHarness(tmp_path / "yard", seed=6, with_driver=True), faults)
    assert_sound(outcome)
    assert outcome.missing_first_pass == 0


def test_a_model_that_is_swapped_under_the_daemon_changes_no_answer(tmp_path):
    faults = [ModelSwapped(), KillChild(RUNTIME), ModelSwapped()]
    outcome = run(FaultHarness(tmp_path / "yard", seed=7, with_model=True), faults)
    assert_sound(outcome, least=6)  # the model begins a finding now and then, not in every frame
    assert outcome.missing_first_pass == 0


def test_files_that_ask_for_too_much_memory_lose_nothing_beside_them(tmp_path):
    faults = [HostileInput(), KillChild(PUBLISHER), HostileInput(), HostileInput()]
    outcome = run(FaultHarness(tmp_path / "yard", seed=8, with_files=True), faults)
    assert_sound(outcome)
    assert outcome.missing_first_pass == 0
