"""What each scenario of the demo demands of the received messages."""

from __future__ import annotations

import re

import msgspec
import pytest
from demo_messages import DEVICE, OFFLINE, ONLINE, WHOLE, coverage, received, true_lesion

from edge.contracts.errors import SourceError
from edge.contracts.finding import Finding
from edge.contracts.results import Reason, Status
from edge.demo.scenarios import (
    HeartScenario,
    PhantomScenario,
    heart_path,
    heart_scenario,
    input_scenario,
    phantom_scenario,
)
from edge.demo.summary import summarise
from edge.schema import examples


def test_silence_is_a_failure_in_every_scenario():
    nothing = summarise([], "demo-phantom")
    for scenario in (phantom_scenario(), heart_scenario()):
        assert {"no birth (state)", "no coverage"} <= set(scenario.outcome(nothing).problems)
    assert "no finding, though there is a lesion in the phantom" in phantom_scenario().outcome(nothing).problems
    assert "no health" in phantom_scenario().outcome(nothing).problems
    assert "a heart was not refused as the wrong anatomy" in heart_scenario().outcome(nothing).problems


def phantom_run(lesion, frames=75):
    changed = [msgspec.structs.replace(m, lesions=[lesion]) if isinstance(m, Finding) else m for m in WHOLE]
    changed[5] = coverage(4, Status.NO_RESULT, Reason.STREAM_ENDED, frames=frames, before=Status.FINDING, why=None)
    return PhantomScenario(DEVICE, "", "", []).outcome(summarise(received(*changed), DEVICE))


def test_the_phantom_scenario_wants_the_lesion_where_it_is_measured_and_every_frame():
    good = phantom_run(true_lesion())
    assert good.problems == []
    assert any(re.search(r"measured [\d.]+ x [\d.]+ mm .*true size [\d.]+ x [\d.]+ mm", fact) for fact in good.facts)
    elsewhere = msgspec.structs.replace(true_lesion(), centre=(1.0, 1.0))
    assert phantom_run(elsewhere).problems == ["what was found is not where the phantom's lesion is"]
    unmeasured = msgspec.structs.replace(true_lesion(), long_axis_mm=None)
    assert phantom_run(unmeasured).problems == ["the lesion was not measured, though the phantom is calibrated"]
    assert phantom_run(true_lesion(), frames=70).problems == ["coverage accounts for 70 of 75 frames"]


def test_the_heart_scenario_wants_a_refusal():
    refused = [
        coverage(1, Status.ABSTAINED, Reason.WRONG_ANATOMY),
        coverage(
            2, Status.NO_RESULT, Reason.STREAM_ENDED, frames=30, before=Status.ABSTAINED, why=Reason.WRONG_ANATOMY
        ),
    ]
    scenario = HeartScenario(DEVICE, "", "", [])
    good = scenario.outcome(summarise(received(ONLINE, *refused, examples.health(), OFFLINE), DEVICE))
    assert good.problems == []
    assert good.sentence.endswith("30 frames: 30 abstained (wrong_anatomy).")


def test_own_pictures_are_found_and_nothing_is_an_error(tmp_path):
    with pytest.raises(SourceError, match="nothing to analyse"):
        input_scenario(tmp_path)
    with pytest.raises(SourceError, match="there is no such file"):
        input_scenario(tmp_path / "missing.png")
    (tmp_path / "a b?.dcm").write_bytes(b"")
    scenario = input_scenario(tmp_path)
    assert scenario.sources == [f"dicom://{tmp_path}/a%20b%3F.dcm"]
    assert list(scenario.streams()) == ["dicom-1"]


def test_the_heart_is_in_pydicom():
    assert heart_path().is_file()
