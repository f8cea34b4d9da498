"""A calibration that weighs the presence of a lesion: figures, card and manifest version of such a bundle."""

from __future__ import annotations

from types import SimpleNamespace

import msgspec
import numpy as np
import pytest

from edge.contracts.manifest import Calibration
from edge.models.bundle import load_bundle
from edge.postprocess.model_outputs import calibrate
from export.bundle import make_manifest, manifest_version
from export.cross_validation_results import CalibrationInput, CrossValidationResults
from export.model_card import render_card
from export.regate import new_manifest
from export.thresholds import calibrated
from export.training_run import open_run

WEIGHED = Calibration(slope=0.8, intercept=-0.1, presence=2.5, method="out of source; at home it would be slope 1.000")


def test_devices_that_do_not_know_presence_refuse_the_bundle(shipped_data):
    old = load_bundle().manifest
    graph = SimpleNamespace(
        inputs={"image": old.input}, outputs={name: head.tensor for name, head in old.heads.items()}
    )
    for calibration, version in ((Calibration(slope=0.8), 1), (WEIGHED, 2)):
        made = make_manifest(open_run(shipped_data), graph, old.thresholds, calibration, "breast", "0.4.0")
        assert made.manifest_version == manifest_version(calibration) == version
        assert made.calibration == calibration


def test_a_new_anatomy_head_brings_the_version_of_its_calibration():
    old = load_bundle().manifest
    gate = SimpleNamespace(limits=(0.4, 0.1), metrics=[], training_data=[])
    for calibration, version in ((Calibration(slope=0.8), 1), (WEIGHED, 2)):
        folds = CrossValidationResults(CalibrationInput("int8", calibration, old.thresholds, "of folds"))
        made = new_manifest(old, b"", gate, SimpleNamespace(folds=folds, version="0.4.0"), lambda _: None)
        assert (made.manifest_version, made.calibration) == (version, calibration)


def test_figures_weigh_presence_as_the_device_does():
    q, masks = np.array([0.2, 0.7, 0.7]), np.zeros((3, 4, 5), np.float32)
    masks[:2, 1, 2] = (0.25, 1.0)
    wanted = [calibrate(a, WEIGHED, 1 / 256, s) for a, s in zip(q.tolist(), (0.25, 1.0, 0.0), strict=True)]
    assert calibrated(q, WEIGHED, 1 / 256, masks) == pytest.approx(wanted)
    assert calibrated(q, WEIGHED, 1 / 256) == pytest.approx([calibrate(a, WEIGHED, 1 / 256) for a in q.tolist()])


def test_the_card_tells_the_weight_and_what_was_fitted_at_home():
    manifest = load_bundle().manifest
    plain = render_card(msgspec.structs.replace(manifest, calibration=Calibration(slope=0.8)), 1)
    assert "log odds less" not in plain
    assert "How it was fitted" not in plain
    text = render_card(msgspec.structs.replace(manifest, calibration=WEIGHED), 1)
    assert "slope 0.800, intercept -0.100, and up to 2.500 log odds less" in text
    assert "How it was fitted: out of source; at home it would be slope 1.000." in text
