"""Class folders from a table: links to the pictures that ``labels.csv`` names, as the recipe folder wants them."""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING

from edge.contracts.errors import ConfigError
from training.classify.folder import GROUPS, write_groups
from training.classify.pictures import SUFFIXES

if TYPE_CHECKING:
    from pathlib import Path

TABLE, IMAGES = "labels.csv", "images"
TWO_LABELS = "group_has_two_labels"


def make_class_folders(data: Path, out: Path) -> dict[str, int]:
    """Link ``data/images/ID.*`` into ``out/LABEL/`` by ``data/labels.csv``, with groups; the number of each class.

    The table has the columns id and label, and perhaps group. Rows whose column ``group_has_two_labels`` is 1 are left
    out: one of both labels is wrong. Raises ConfigError for another table, and for a picture that is not there.
    """
    table = data / TABLE
    if not table.is_file():
        raise ConfigError(f"{table} does not exist", hint="a table id,label[,group], and the pictures in images/")
    with table.open(newline="", encoding="utf-8") as file:
        reader = csv.DictReader(file)
        if not {"id", "label"} <= set(reader.fieldnames or ()):
            raise ConfigError(f"{table}: expected the columns id and label, got {reader.fieldnames}", hint="name them")
        rows = [row for row in reader if row.get(TWO_LABELS) != "1"]
    pictures = {path.stem: path for path in (data / IMAGES).iterdir() if path.suffix.lower() in SUFFIXES}
    groups, counts = [], dict.fromkeys(sorted({row["label"] for row in rows}), 0)
    for row in rows:
        picture = pictures.get(row["id"])
        if picture is None:
            raise ConfigError(f"{table}: {row['id']} has no picture in {data / IMAGES}", hint="take the row out")
        place = out / row["label"] / picture.name
        place.parent.mkdir(parents=True, exist_ok=True)
        if not place.is_symlink():
            place.symlink_to(picture.resolve())
        groups.append((f"{row['label']}/{picture.name}", row.get("group") or row["id"]))
        counts[row["label"]] += 1
    write_groups(out / GROUPS, groups)
    return counts
