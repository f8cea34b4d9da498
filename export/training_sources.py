"""Data sets that a run was trained on, by what its record says, and what a model card must therefore say."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge.contracts.errors import UsageError

if TYPE_CHECKING:
    from edge.contracts.manifest import DataSource
    from export.training_run import RunRecipe

BUS_BRA, BUSI = "BUS-BRA", "BUSI"
CROPS = "crops beside lesions and rendered phantoms stand in for the rest"
ALWAYS = [
    "cine: still pictures alone, chosen by those who took them",
    "colour Doppler, elastography, volume scans, contrast agents",
    "implants, scars, breasts under or after treatment: no data set names any",
    "age, history, palpation, mammograms: it sees one picture and nothing else",
]
BREAST = {
    (BUS_BRA,): [
        f"healthy breasts: every training picture was kept because it shows a lesion; {CROPS}, and it reports lesions "
        "where there are none",
        "scanners other than the four of BUS-BRA (GE Logiq 5 and 7, Toshiba Aplio 300, U-Systems), probes other than "
        "linear ones, hospitals other than one",
    ],
    (BUSI,): [
        f"healthy breasts but for the about hundred of BUSI; {CROPS}",
        "scanners other than those of BUSI (GE Logiq E9), probes other than linear ones, hospitals other than one",
    ],
    (BUS_BRA, BUSI): [
        "healthy breasts but for the about hundred of BUSI, all of one hospital: it may have learnt the look of that "
        f"set instead; {CROPS}",
        "scanners other than the four of BUS-BRA (GE Logiq 5 and 7, Toshiba Aplio 300, U-Systems) and those of BUSI "
        "(GE Logiq E9), probes other than linear ones, hospitals other than these two",
    ],
}
"""By the sets that a breast model was trained on: what they lack."""


def training_sets(recipe: RunRecipe) -> tuple[str, ...]:
    """Data sets of the two that the run was trained on. Records that name a ``fold`` are of BUS-BRA alone."""
    if recipe.protocol == "bus-bra-to-busi" or (recipe.fold and not recipe.protocol):
        return (BUS_BRA,)
    return (BUSI,) if recipe.protocol == "busi-to-bus-bra" else (BUS_BRA, BUSI)


def training_data(recipe: RunRecipe) -> list[DataSource]:
    """Data sources of the recipe, without a set that its protocol kept for judging."""
    kept = {BUS_BRA, BUSI} - set(training_sets(recipe))
    return [each for each in recipe.data if each.name not in kept]


def not_shown(recipe: RunRecipe) -> list[str]:
    """Limits of the training data: what the model was never shown; nothing is known of body parts but the breast."""
    without = recipe.protocol.removeprefix("without:") if recipe.protocol.startswith("without:") else ""
    left_out = [f"the scanner {without}, which was kept for judging"] if without else []
    return [*BREAST[training_sets(recipe)], *left_out, *ALWAYS] if recipe.body_part == "BREAST" else []


def check_not_trained_on_busi(recipe: RunRecipe) -> None:
    """Raise UsageError if the run was trained on BUSI: metrics on it would be of training pictures."""
    if BUSI in training_sets(recipe):
        raise UsageError(
            f"this run learnt from BUSI (protocol {recipe.protocol or 'unknown'}): --busi would measure it on its own "
            "training pictures",
            hint="train with --protocol bus-bra-to-busi to measure on BUSI",
        )
