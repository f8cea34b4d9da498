"""Checkpoints: which one a run resumes from, and which it must refuse. Stand-ins for Keras: nothing is learnt."""

from __future__ import annotations

import json
import os
from types import SimpleNamespace

import msgspec
import pytest

from edge.contracts.errors import ConfigError, UsageError
from training import checkpoint
from training.checkpoint import fingerprint, restore, save
from training.recipe import RunRecord, load_recipe
from training.run_record import write_record


class OneWordModel:
    """Weights are one word in a file."""

    word = ""

    def save_weights(self, path):
        path.write_text(self.word)

    def load_weights(self, path):
        self.word = path.read_text()


def kept(word):
    model = OneWordModel()
    model.word = word
    return model


@pytest.fixture
def optimiser():
    return SimpleNamespace(variables=[])


def test_a_loop_without_an_average_keeps_and_finds_its_weights(tmp_path, optimiser):
    save(tmp_path, kept("first"), optimiser, None, 1, "mine")
    save(tmp_path, kept("second"), optimiser, None, 2, "mine")
    model = OneWordModel()
    assert restore(tmp_path, model, optimiser, None, "mine") == 2
    assert model.word == "second"
    assert [path.name for path in tmp_path.iterdir()] == ["checkpoint"]


@pytest.mark.parametrize("beside", [True, False])
def test_at_every_moment_of_saving_a_whole_checkpoint_is_there(tmp_path, optimiser, monkeypatch, beside):
    """Also where the last kill left its only whole one under the other name."""
    save(tmp_path, kept("first"), optimiser, None, 1, "mine")
    if not beside:
        (tmp_path / "checkpoint").rename(tmp_path / "checkpoint.old")
    moments = []

    def look(function):
        def called(*arguments, **options):
            done = function(*arguments, **options)
            moments.append(restore(tmp_path, OneWordModel(), optimiser, None, "mine"))
            return done

        return called

    monkeypatch.setattr(checkpoint, "os", SimpleNamespace(replace=look(os.replace)))
    monkeypatch.setattr(checkpoint, "shutil", SimpleNamespace(rmtree=look(checkpoint.shutil.rmtree)))
    save(tmp_path, kept("second"), optimiser, None, 2, "mine")
    assert set(moments) == {1, 2}
    assert moments == sorted(moments)


def test_another_protocols_checkpoint_is_refused_and_one_that_does_not_say_is_taken(tmp_path, optimiser):
    recipe = load_recipe("breast")
    mine, other = fingerprint(recipe), fingerprint(msgspec.structs.replace(recipe, protocol="fold-2"))
    save(tmp_path, kept("first"), optimiser, None, 1, other)
    with pytest.raises(ConfigError, match="another recipe or protocol"):
        restore(tmp_path, OneWordModel(), optimiser, None, mine)
    (tmp_path / "checkpoint" / "epoch.json").write_text(json.dumps({"epoch": 4}))
    assert restore(tmp_path, OneWordModel(), optimiser, None, mine) == 4


def test_more_epochs_and_another_wording_of_the_sources_are_the_same_run():
    recipe = load_recipe("breast")
    longer = msgspec.structs.replace(recipe.optimiser, epochs=99)
    assert fingerprint(msgspec.structs.replace(recipe, optimiser=longer, data=[])) == fingerprint(recipe)
    hotter = msgspec.structs.replace(recipe.optimiser, learning_rate=0.1)
    for changes in ({"optimiser": hotter}, {"seed": 2}, {"protocol": "all"}):
        assert fingerprint(msgspec.structs.replace(recipe, **changes)) != fingerprint(recipe)


def test_a_whole_run_of_another_protocol_is_not_taken_for_this_one(tmp_path):
    pytest.importorskip("tensorflow")
    from training.breast.cross_validation import train_run

    recipe, lines = load_recipe("breast"), []
    record = RunRecord(recipe=recipe, git_revision="", created="2026-01-01T00:00:00+00:00")
    write_record(tmp_path, record)
    train_run(msgspec.structs.replace(recipe, data=[]), [], tmp_path, tmp_path, tmp_path, lines.append)
    assert lines == [f"{tmp_path} is a whole run"]
    with pytest.raises(UsageError, match="with another protocol"):
        train_run(msgspec.structs.replace(recipe, protocol="all"), [], tmp_path, tmp_path, tmp_path, lines.append)
    assert len(lines) == 1
