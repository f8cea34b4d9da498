"""A card says what the run learnt from and what not; figures are of pictures that it never saw."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec
import pytest

from edge.contracts.errors import UsageError
from edge.contracts.manifest import DataSource, Metric, PreprocessRecipe
from edge.models.bundle import load_bundle
from export import bundle as bundling
from export.bundle import check_options
from export.cross_validation_results import CalibrationInput, CrossValidationResults
from export.training_run import RunRecipe, open_run
from export.training_sources import check_not_trained_on_busi, not_shown, training_data
from training.recipe import load_recipe

FIGURE = Metric(name="a", value=0.5, low=0.4, high=0.6, data="d", n=1, method="m")


def recipe(protocol: str, fold: int = 0) -> RunRecipe:
    data = [
        DataSource(name=name, licence="l", citation="c", used_for="u")
        for name in ("BUS-BRA", "BUSI", "Rendered phantoms")
    ]
    return RunRecipe(
        name="r",
        body_part="BREAST",
        protocol=protocol,
        fold=fold,
        preprocess=PreprocessRecipe(width=160, height=160),
        data=data,
    )


@pytest.mark.parametrize(
    ("protocol", "fold", "names", "healthy", "scanners"),
    [
        ("all", 0, ["BUS-BRA", "BUSI"], "but for the about hundred of BUSI", "Logiq 5 and 7.*Logiq E9"),
        ("fold-2", 0, ["BUS-BRA", "BUSI"], "but for the about hundred of BUSI", "Logiq 5 and 7.*Logiq E9"),
        ("", 1, ["BUS-BRA"], "every training picture was kept because it shows a lesion", "four of BUS-BRA"),
        ("bus-bra-to-busi", 0, ["BUS-BRA"], "because it shows a lesion", "four of BUS-BRA"),
        ("busi-to-bus-bra", 0, ["BUSI"], "but for the about hundred of BUSI", "those of BUSI"),
    ],
)
def test_the_card_follows_the_protocol(protocol, fold, names, healthy, scanners):
    made = recipe(protocol, fold)
    assert [each.name for each in training_data(made)] == [*names, "Rendered phantoms"]
    lines = not_shown(made)
    (of_healthy,) = [line for line in lines if line.startswith("healthy breasts")]
    assert healthy in of_healthy
    (of_scanners,) = [line for line in lines if line.startswith("scanners other than")]
    assert re.search(scanners, of_scanners)
    if "BUSI" in names:
        with pytest.raises(UsageError, match="learnt from BUSI"):
            check_not_trained_on_busi(made)
    else:
        assert "Logiq E9" not in of_scanners
        check_not_trained_on_busi(made)


def test_a_scanner_left_out_is_named():
    assert any("the scanner Toshiba" in line for line in not_shown(recipe("without:Toshiba")))
    assert not_shown(msgspec.structs.replace(recipe("all"), body_part="HEART")) == []


def test_the_shipped_recipe_names_every_set_that_it_learns_from():
    found = {each.name: each for each in load_recipe("breast").data}
    assert {"BUS-BRA", "BUSI"} <= found.keys()
    assert "no clear licence" in found["BUSI"].licence
    assert "because" in found["BUSI"].used_for
    assert not any("held back" in each.used_for for each in found.values())  # that is the protocol's to say


def test_what_does_not_go_together_is_refused(run_data):
    run, manifest = open_run(run_data), load_bundle().manifest
    calibration = CalibrationInput("int8", manifest.calibration, manifest.thresholds, "folds")
    check_options(run, Path("busi"), CrossValidationResults())
    check_options(run, None, CrossValidationResults(calibration, (FIGURE,)))
    with pytest.raises(UsageError, match="--busi and --figures"):
        check_options(run, Path("busi"), CrossValidationResults(None, (FIGURE,)))
    with pytest.raises(UsageError, match="--calibration needs --figures"):
        check_options(run, None, CrossValidationResults(calibration))
    path = run_data / "recipe.toml"
    path.write_text(path.read_text().replace("fold = 1", 'protocol = "all"'))
    with pytest.raises(UsageError, match="learnt from BUSI"):
        check_options(open_run(run_data), Path("busi"), CrossValidationResults())


def test_a_bundle_is_judged_by_its_own_run_alone(run_data):
    other = load_bundle()
    with pytest.raises(UsageError, match="was made of a run of") as caught:
        bundling.bundle_metrics(open_run(run_data), other.model_bytes, other.manifest, None)
    assert "the run that the bundle was made from" in caught.value.hint
