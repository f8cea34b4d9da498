"""Commands ``training gan``, ``fill`` and ``gan-figures``: a generator that removes lesions, or draws them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from training.tensorflow_threads import use_threads

app = typer.Typer()
AnyPictures = Annotated[
    Path | None,
    typer.Option(help="Folder of bus-bra/ and busi/, or of class folders with masks. Without: rendered phantoms."),
]


@app.command(epilog="\b\nExample:\n  python -m training gan --task erase --data DATA --out runs/gan")
def gan(
    out: Annotated[Path, typer.Option(help="Folder of this run. Call again to go on after a kill.")],
    data: AnyPictures = None,
    task: Annotated[Literal["erase", "draw"], typer.Option(help="Remove lesions, or draw them.")] = "erase",
    recipe: Annotated[str, typer.Option(help="Breast recipe of the network that shall learn from it.")] = "breast",
    protocol: Annotated[str, typer.Option(help="What it may not learn from, as for the breast recipe.")] = "all",
    hours: Annotated[float, typer.Option(min=0, help="It ends after the epoch in which these are over.")] = 2.0,
    epochs: Annotated[int | None, typer.Option(min=1, help="Instead of 60.")] = None,
    l1_epochs: Annotated[int | None, typer.Option(min=0, help="Of them without the judge, instead of 16.")] = None,
    steps: Annotated[int | None, typer.Option(min=1, help="Of an epoch, instead of 200.")] = None,
    batch: Annotated[int | None, typer.Option(min=2, help="Patches of a step, instead of 16.")] = None,
    seed: Annotated[int, typer.Option(help="Of weights and patches.")] = 1,
    threads: Annotated[int, typer.Option(min=1, help="Of TensorFlow.")] = 2,
) -> None:
    """Train a generator that fills holes with tissue: a contact sheet, a checkpoint and a line in the log an epoch."""
    from training.gan.settings import GanOptimiserSection, GanRecipe
    from training.recipe import load_recipe

    given = {"epochs": epochs, "l1_epochs": l1_epochs, "steps": steps, "batch": batch}
    chosen = GanRecipe(
        task=task,
        protocol=protocol,
        seed=seed,
        preprocess=load_recipe(recipe).preprocess,
        optimiser=GanOptimiserSection(**{name: value for name, value in given.items() if value is not None}),
    )
    use_threads(threads, out)
    from training.gan.run import run_gan

    run_gan(chosen, data, out, typer.echo, hours)


@app.command(epilog="\b\nExample:\n  python -m training fill --data DATA --gan runs/gan --out runs/fillings.npz")
def fill(
    out: Annotated[Path, typer.Option(help="The .npz to write: [mix] fillings in a recipe.")],
    data: AnyPictures = None,
    gan: Annotated[Path | None, typer.Option(help="Folder of a finished generator, for --by generator.")] = None,
    by: Annotated[
        Literal["generator", "inpaint", "copy"], typer.Option(help="OpenCV's, or tissue from beside, to compare with.")
    ] = "generator",
    recipe: Annotated[str, typer.Option(help="Breast recipe of the network that shall learn from it.")] = "breast",
    protocol: Annotated[str, typer.Option(help="Whose training pictures are filled.")] = "all",
    variants: Annotated[int, typer.Option(min=1, max=16, help="Fillings of each picture.")] = 3,
    seed: Annotated[int, typer.Option(help="Of places and grain.")] = 1,
) -> None:
    """Erase each training picture's lesion, and fill as many holes beside lesions, for recipes to mix in.

    With a generator of --task draw: draw a lesion beside each.
    """
    from training.gan.fill_command import fill_into

    typer.echo(fill_into(out, data, gan, by, recipe, protocol, variants, seed))


@app.command(
    "gan-figures", epilog="\b\nExample:\n  python -m training gan-figures --gan runs/gan --data DATA --model runs/b2b"
)
def gan_figures(
    data: AnyPictures = None,
    gan: Annotated[Path | None, typer.Option(help="Folder of a finished generator, for --by generator.")] = None,
    by: Annotated[Literal["generator", "inpaint", "copy"], typer.Option(help="The way to fill.")] = "generator",
    model: Annotated[
        Path | None, typer.Option(help="Run of a lesion model: judged on its test pictures, and by its mask.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Also write the figures into this JSON file.")] = None,
    seed: Annotated[int, typer.Option(help="Of places and grain.")] = 1,
) -> None:
    """Whether fillings erase, can be told from tissue, give training pictures away, and look like tissue."""
    import json

    from training.gan.figures import figures_of

    found = figures_of(by, gan, data, model, seed, typer.echo)
    if out is not None:
        out.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
