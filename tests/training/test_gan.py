"""Generator at toy size, from the command line to a recipe that mixes its fillings in: both tasks, kill and resume."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

import msgspec
import numpy as np
import pytest

pytest.importorskip("tensorflow", reason="training needs TensorFlow: make test-training has it")

from typer.testing import CliRunner

from edge.contracts.errors import ConfigError
from training.augment.fillings import Fillings, drawn_mask, write_fillings
from training.augment.views import Views, make_sample
from training.cli import app
from training.gan import pictures as gan_pictures
from training.gan.eraser import Eraser
from training.gan.fill_pictures import draw_lesions
from training.gan.loop import LOG, SHEETS, GanTraining
from training.gan.networks import MOST_PARAMETERS, build_discriminator, build_generator
from training.gan.patches import PatchSource
from training.gan.pictures import load_pictures, scaled_training_pictures
from training.gan.run import WEIGHTS, load_gan_record
from training.gan.settings import GanRecipe, GanRecord, GeneratorSection
from training.gan.warnings import texture_ratio, warnings_of
from training.recipe import load_recipe
from training.run_record import write_record

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(600),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),  # Keras 3.15 with NumPy 2.4
]
TOY = ["--epochs", "2", "--l1-epochs", "1", "--steps", "3", "--batch", "2", "--threads", "1"]


@pytest.fixture(autouse=True)
def few_phantoms(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gan_pictures, "PHANTOMS", 24)


@pytest.fixture
def recipe() -> GanRecipe:
    return GanRecipe(preprocess=load_recipe("breast").preprocess)


def call(*arguments: object) -> str:
    done = CliRunner().invoke(app, [str(one) for one in arguments], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.output


def test_generator_erases_from_the_command_line_to_a_view(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("training.cli_gan.use_threads", lambda count, out: None)  # TensorFlow runs already
    run = tmp_path / "gan"
    call("gan", "--out", run, *TOY[:1], "1", *TOY[2:])  # ended after one epoch: the rest is another's number of epochs
    record = load_gan_record(run)
    assert (record.epochs_done, record.steps_done, record.data) == (1, 3, "phantoms")
    (run / "recipe.toml").unlink()  # as if killed between the epochs
    said = call("gan", "--out", run, *TOY)
    assert "going on after epoch 1" in said
    lines = [json.loads(line) for line in (run / LOG).read_text().splitlines()]
    assert [(line["epoch"], line["judged"]) for line in lines] == [(1, False), (2, True)]
    assert sorted(path.name for path in (run / SHEETS).iterdir()) == ["epoch-001.png", "epoch-002.png"]
    assert (run / WEIGHTS).is_file()
    assert "is a whole run" in call("gan", "--out", run, *TOY)
    out = tmp_path / "fillings.npz"
    assert "next: in a recipe" in call("fill", "--gan", run, "--out", out, "--variants", "1")
    fillings = Fillings(out)
    assert fillings.learnt_from == set(load_gan_record(run).pictures)
    assert len(fillings.items_with("erased")) > 5
    call("look", "--gan", run, "--out", tmp_path / "sheet.png", "--count", "4")
    assert (tmp_path / "sheet.png").stat().st_size > 10_000
    figures = tmp_path / "figures.json"
    call("gan-figures", "--gan", run, "--out", figures)
    assert {"detector", "features"} <= set(json.loads(figures.read_text()))


def test_generator_draws_lesions(tmp_path: Path, recipe: GanRecipe) -> None:
    _, items = load_pictures(None, recipe)
    labelled = [one for one in scaled_training_pictures(items, recipe) if one.mask.any()]
    labelled = [replace(one, label=number % 2) for number, one in enumerate(labelled)]
    source = PatchSource(labelled, "draw", recipe.largest)
    patches = source.batch(np.random.default_rng(0), 4, 64)
    assert patches.lesion.any()
    assert (patches.hole >= patches.lesion).all()
    assert (patches.label <= patches.lesion).all()
    drawing = GanTraining(msgspec.structs.replace(recipe, task="draw"))
    for judged in (False, True):
        losses = drawing.step(patches, np.random.default_rng(1), judged=judged)
        assert np.isfinite(losses).all()
    made = drawing.filled(patches, 1)
    assert np.array_equal(made[patches.hole == 0], patches.pixels[patches.hole == 0])
    drawing.generator.save_weights(tmp_path / WEIGHTS)
    record = GanRecord(
        recipe=drawing.recipe,
        git_revision="",
        created="",
        epochs_done=1,
        steps_done=2,
        hours=0.0,
        stopped_by="epochs",
        data="phantoms",
        pictures=[],
    )
    write_record(tmp_path, record)
    named = [replace(item, label=number % 2) for number, item in enumerate(items)]
    found = draw_lesions(named, Eraser(tmp_path), 1, 1)
    assert len(found) > 4
    write_fillings(tmp_path / "drawn.npz", found, "generator", [])
    mix = msgspec.structs.replace(load_recipe("breast").mix, drawn=0.5, fillings=str(tmp_path / "drawn.npz"))
    breast = msgspec.structs.replace(load_recipe("breast"), mix=mix)
    views = Views(named, breast, tmp_path)
    row = next(one for one in views.plan(0) if one.kind == "drawn")
    fillings = Fillings(tmp_path / "drawn.npz")
    filling = fillings.get(named[row.number].id, "drawn", 0)
    assert filling is not None
    both = drawn_mask(filling, named[row.number].mask)
    assert both.any()
    assert not (both & named[row.number].mask).any()
    sample = make_sample(row, named, breast, fillings)
    assert sample.label == named[row.number].label
    assert sample.mask.any()


def test_drawing_without_labels_is_refused(recipe: GanRecipe) -> None:
    _, items = load_pictures(None, recipe)
    with pytest.raises(ConfigError, match="both a lesion's mask and a label"):
        PatchSource(scaled_training_pictures(items, recipe), "draw", recipe.largest)


@pytest.mark.parametrize("task", ["erase", "draw"])
def test_networks_are_small(task: str) -> None:
    generator = build_generator(GeneratorSection(), task)  # type: ignore[arg-type]
    discriminator = build_discriminator(GeneratorSection(), task)  # type: ignore[arg-type]
    assert generator.count_params() <= MOST_PARAMETERS
    assert discriminator.count_params() <= MOST_PARAMETERS


def test_training_patches_have_no_lesion_in_their_hole(recipe: GanRecipe) -> None:
    _, items = load_pictures(None, recipe)
    scaled = scaled_training_pictures(items, recipe)
    for one in scaled:
        one.pixels[one.mask > 0] = 255  # so bright that it would be noticed
        one.pixels[one.mask == 0] = np.minimum(one.pixels[one.mask == 0], 150)
    patches = PatchSource(scaled, "erase", recipe.largest).batch(np.random.default_rng(0), 32, 64)
    inside = patches.pixels[patches.hole > 0]
    assert inside.max() < 200 / 127.5 - 1
    assert (patches.hole.sum(axis=(1, 2, 3)) > 0).all()


def test_collapse_and_a_judge_that_always_wins_are_told(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    grain = rng.standard_normal((4, 32, 32, 1)).astype(np.float32)
    hole = np.ones_like(grain)
    assert texture_ratio(grain, np.zeros_like(grain), hole) == pytest.approx(0, abs=1e-6)
    assert texture_ratio(grain, grain, hole) == pytest.approx(1)
    log = tmp_path / "log.jsonl"

    def write(texture: float, judge: float, judged: bool = True) -> None:
        line = json.dumps({"judged": judged, "texture": texture, "discriminator": judge})
        log.write_text(f"{line}\n" * 3)

    write(1.0, 1.5)
    assert warnings_of(log) == []
    write(0.1, 1.5)
    assert "collapsed" in warnings_of(log)[0]
    write(1.0, 0.01)
    assert "always wins" in warnings_of(log)[0]
    write(0.1, 0.0, judged=False)
    assert warnings_of(log) == []
