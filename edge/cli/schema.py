"""``edge-cli schema``: writes the JSON Schemas and the AsyncAPI document, or checks them."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer


def command(
    out: Annotated[Path, typer.Option(help="Folder of the schemas.")] = Path("schemas"),
    check: Annotated[
        bool, typer.Option("--check", help="Write nothing; exit code 1 if a file is not current.")
    ] = False,
) -> int:
    """Write the schemas of all messages, or check that they are current.

    JSON Schemas of every message, of the model's manifest and of the settings, and asyncapi.json: the topics.

    Example:
      edge-cli schema --out schemas
      edge-cli schema --out schemas --check
    """
    from edge.contracts.errors import DeviceError
    from edge.schema.json_schema import documents, stale

    if check:
        names = stale(out)
        for name in names:
            print(f"{out / name} is not current", file=sys.stderr)
        print(f"run edge-cli schema --out {out}" if names else f"{out}: current")
        return 1 if names else 0
    try:
        out.mkdir(parents=True, exist_ok=True)
        written = [out / name for name in documents()]
        for path, text in zip(written, documents().values(), strict=True):
            path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise DeviceError(f"{out}: {error.strerror or error}", hint="name a folder that can be written") from None
    for path in written:
        print(path)
    return 0
