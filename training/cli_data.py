"""Commands ``training check`` and ``training look``: inspect a data set before training."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer()


@app.command(epilog="\b\nExample:\n  python -m training check organ/ --write-groups")
def check(
    folder: Annotated[Path, typer.Argument(help="Folder of pictures, as for recipe folder.")],
    as_json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
    quick: Annotated[bool, typer.Option("--quick", help="Look for no look-alikes.")] = False,
    write_groups: Annotated[
        bool, typer.Option("--write-groups", help="Write DIR/groups.csv: pictures that look alike are one group.")
    ] = False,
) -> None:
    """Find broken pictures, equal ones, re-zoomed look-alikes, torn groups and masks that do not fit.

    Exit code 0: nothing that spoils training; 3: something, and the table says what.
    """
    import json

    from training.inspect import dataset_check as checks

    report = checks.check_dataset(folder, lookalikes=not quick, regroup=write_groups)
    typer.echo(json.dumps(report.as_json(), indent=1) if as_json else checks.as_text(report))
    if write_groups:
        typer.echo(f"wrote {folder / 'groups.csv'}", err=True)
    if not report.ok:
        raise typer.Exit(3)


@app.command(epilog="\b\nExample:\n  python -m training look organ/ --out sheet.png")
def look(
    out: Annotated[Path, typer.Option(help="The PNG to write.")],
    data: Annotated[Path | None, typer.Argument(help="Folder of pictures, as for the recipe.")] = None,
    recipe: Annotated[str, typer.Option(help="Whose preprocessing and classes.")] = "folder",
    count: Annotated[int, typer.Option(min=1, max=400, help="Of pictures.")] = 48,
    seed: Annotated[int, typer.Option(help="Of choice and augmentation.")] = 1,
    plain: Annotated[bool, typer.Option("--plain", help="Not augmented: as the device would see them.")] = False,
    gan: Annotated[
        Path | None, typer.Option(help="Folder of a finished generator: pictures, holes and fillings instead.")
    ] = None,
) -> None:
    """Write a contact sheet of what the network is shown: augmented pictures, masks outlined, labels below."""
    if gan is not None:
        from training.gan.look import erased_sheet
        from training.inspect.contact_sheet import write_png

        write_png(out, erased_sheet(gan, data, count, seed))
        typer.echo(f"{out}: picture, hole and filling")
        return
    if data is None:
        from edge.contracts.errors import UsageError

        raise UsageError("no pictures to look at", hint="python -m training look organ/ --out sheet.png")
    from training.inspect.contact_sheet import contact_sheet, write_png
    from training.inspect.sample_pictures import choose

    items, names, preprocess = choose(data, recipe, count, seed)
    write_png(out, contact_sheet(items, names, preprocess, seed, augmented=not plain))
    typer.echo(f"{out}: {len(items)} pictures")


@app.command(epilog="\b\nExample:\n  python -m training folders DATA/busi --out organ/")
def folders(
    data: Annotated[Path, typer.Argument(help="Folder of images/ and labels.csv (id,label[,group]).")],
    out: Annotated[Path, typer.Option(help="Folder for the class folders, which hold links.")],
) -> None:
    """Make a folder for each class out of a table of labels, for recipe folder; pictures are linked, not copied."""
    from training.inspect.class_folders import make_class_folders

    counts = make_class_folders(data, out)
    typer.echo(f"{out}: " + ", ".join(f"{count} {name}" for name, count in counts.items()))


@app.command("lesion-free", epilog="\b\nExample:\n  python -m training lesion-free runs/b2b --data DATA")
def lesion_free(
    runs: Annotated[list[Path], typer.Argument(help="Folders of finished breast runs.")],
    data: Annotated[Path, typer.Option(help="Folder of bus-bra/ and busi/.")],
) -> None:
    """Cut windows clear of the lesion out of each run's test pictures, to see what it says of empty tissue."""
    from training.datasets import load_breast_sets
    from training.evaluation.lesion_free import CROPS, write_lesion_free

    items = load_breast_sets(data)
    for run in runs:
        typer.echo(f"{run / CROPS}: {write_lesion_free(run, items)} crops")
