"""Recipes and records of runs: reading, writing, errors."""

from __future__ import annotations

import pytest

from edge.contracts.errors import ConfigError
from training.classify.recipe import ClassifierRecord, load_classifier, load_classifier_record
from training.cli import _changed
from training.recipe import RunRecord, load_recipe, load_record
from training.run_record import write_record


def test_the_shipped_recipe_is_valid_and_names_its_data():
    recipe = load_recipe("breast")
    assert recipe.body_part == "BREAST"
    assert (recipe.preprocess.width, recipe.preprocess.height, recipe.preprocess.channels) == (160, 192, 3)
    assert all(source.licence for source in recipe.data)


def test_a_runs_record_comes_back_as_it_was_written(tmp_path):
    record = RunRecord(recipe=load_recipe("breast"), git_revision='a"b\\c', created="2026-01-01T00:00:00+00:00")
    write_record(tmp_path, record)
    assert load_record(tmp_path) == record


@pytest.mark.parametrize("name", ["text-cnn", "folder", "phantom"])
def test_a_classifiers_record_comes_back_and_what_is_none_is_left_out(tmp_path, name):
    recipe = load_classifier(name)
    assert recipe.split.group is None or recipe.render is None  # each recipe has something that TOML cannot say
    record = ClassifierRecord(
        recipe=recipe, git_revision="", created="2026-01-01T00:00:00+00:00", task=recipe.task, classes=["ä", '"b"']
    )
    write_record(tmp_path, record)
    assert load_classifier_record(tmp_path) == record


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name = 1", "Expected `str`"),
        ('name = "a"\nbody_part = "BREAST"\nspeed = 1', "unknown field `speed`"),
        ('name = "a"\nbody_part = "BREAST"\n[optimiser]\naveraging = 1.0', "averaging"),
        ("name = ", "breast.toml"),
    ],
)
def test_wrong_recipes_are_refused_with_their_path(tmp_path, text, message):
    path = tmp_path / "breast.toml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=message) as caught:
        load_recipe(str(path))
    assert str(path) in caught.value.message


def test_unknown_names_list_what_there_is():
    with pytest.raises(ConfigError, match="no recipe 'liver'") as caught:
        load_recipe("liver")
    assert "breast" in caught.value.hint


def test_a_folder_that_is_no_run_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="is not a run"):
        load_record(tmp_path)


def test_masks_of_the_recipe_folder_are_learnt_by_a_recipe_of_their_own():
    by_option = _changed("folder", None, None, None, True, None)
    assert by_option == load_classifier("folder-masks")
    assert (by_option.network.heads, by_option.network.backbone) == ("mask", "lite0")
    changed = _changed("folder", 3, "mirrored", 4, False, "rgb")
    assert (changed.optimiser.epochs, changed.distribute.strategy, changed.folds, changed.colour) == (
        3,
        "mirrored",
        4,
        "rgb",
    )
    with pytest.raises(ConfigError, match="expected 2 folds or more"):
        _changed("folder", None, None, 1, False, None)
