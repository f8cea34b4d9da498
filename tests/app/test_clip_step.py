"""The recurrent step of the model that a daemon runs: made at its start, proven, refused if it computes otherwise."""

from __future__ import annotations

from dataclasses import replace

import pytest
from recurrent_steps import member

from edge.app.compose import choose_model, clip_step_of
from edge.config.settings import RuntimeSettings, Settings
from edge.contracts.errors import ModelError
from edge.models.bundle import SHIPPED_BUNDLE, load_bundle
from edge.models.bundle_file import split_bundle
from edge.models.bundle_writer import append_zip


@pytest.fixture
def bundle_with_step(tmp_path):
    parts = split_bundle(SHIPPED_BUNDLE.read_bytes())
    body = member(load_bundle(None).manifest.graph_sha256, new_from=0.5)
    path = tmp_path / "own.tflite"
    path.write_bytes(append_zip(parts.graph, {**parts.members, "clip.tflite": body}))
    return path


def test_the_shipped_bundle_has_none():
    assert load_bundle(None).clip is None
    assert clip_step_of(Settings(), choose_model(Settings())) is None


def test_a_bundle_with_one_gives_one_that_is_proven(bundle_with_step):
    settings = Settings(model=str(bundle_with_step))
    step = clip_step_of(settings, choose_model(settings))
    assert step is not None
    assert step.manifest.new_from == 0.5


def test_what_is_scripted_is_joined_by_rules(bundle_with_step):
    settings = Settings(model=str(bundle_with_step), runtime=RuntimeSettings(uri="scripted://"))
    assert clip_step_of(settings, choose_model(settings)) is None


def test_one_that_computes_otherwise_is_refused_with_its_bundle(bundle_with_step):
    settings = Settings(model=str(bundle_with_step))
    model = choose_model(settings)
    golden = {name: array.copy() for name, array in model.bundle.clip.golden.items()}
    golden["presence"][40, 2, 0] ^= 1
    other = replace(model, bundle=replace(model.bundle, clip=replace(model.bundle.clip, golden=golden)))
    with pytest.raises(ModelError, match="presence differs at step 40") as error:
        clip_step_of(settings, other)
    assert error.value.hint
