"""Power cuts, a short round that is the same every time; ``make power-cuts`` is the long one."""

from __future__ import annotations

import pytest
from faults.accounting import compare
from faults.forgetful_disk import cannot_mount
from faults.outbox_creation_cuts import cut_during_creation
from faults.power_cut_harness import PowerCutHarness

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module", autouse=True)
def needs_fuse(tmp_path_factory):
    why = cannot_mount(tmp_path_factory.mktemp("probe") / "disk")
    if why:
        pytest.skip(why)


@pytest.mark.broker
def test_a_power_cut_loses_nothing_that_was_said(tmp_path, mosquitto):
    with PowerCutHarness(tmp_path, seed=1) as harness:
        cuts = [harness.run_and_cut("torn", "working"), harness.run_and_cut("pages", "stopping")]
        outcome = harness.finish()
    assert [cut.at_risk > 0 for cut in cuts] == [True, True]  # there was something to lose
    assert [cut.unfounded for cut in cuts] == [0, 0]
    assert outcome.account.violations == []
    assert outcome.account.foreign == []
    assert outcome.account.missing == []
    assert outcome.account.produced > 20
    assert (outcome.fell_over, outcome.epochs) == (0, 1)


@pytest.mark.broker
def test_on_a_disk_that_lies_the_harness_notices(tmp_path, mosquitto):
    with PowerCutHarness(tmp_path, seed=1, lies=1_000_000) as harness:
        cut = harness.run_and_cut("vanish", "working", after_stop=False)
        assert cut.unfounded == cut.heard > 0
        assert len(compare(harness.produced, harness.consumer.received).foreign) == cut.heard


@pytest.mark.parametrize(("after", "mode", "promised"), [(30, "pages", 0), (150, "torn", 0), (250, "vanish", 1)])
def test_an_outbox_outlives_a_cut_while_it_is_begun(tmp_path, after, mode, promised):
    result = cut_during_creation(tmp_path, after, mode, seed=after)
    assert result.frozen
    assert result.promised >= promised
    assert result.faults == []


def test_on_a_disk_that_lies_a_new_outbox_is_found_missing(tmp_path):
    assert cut_during_creation(tmp_path, 1_000_000, "vanish", seed=1, lies=1_000_000).faults != []
