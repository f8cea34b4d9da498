"""``edge-cli view``: makes what the page needs to be reached from other machines: a token and a certificate."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(
    help="""Make what the page needs to be reached from other machines.

Example:
  edge-cli view init /etc/sonoedge/view --name cart-7.local"""
)

DAYS = 825
"""How long the certificate holds: browsers take no longer ones."""


@app.command()
def init(
    out: Annotated[Path, typer.Argument(help="Folder for the three files; made if need be.")],
    name: Annotated[
        list[str] | None, typer.Option(help="Host name or address of this device in browsers; may be given again.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace files that are there.")] = False,
) -> int:
    """Make a token and a self-signed certificate, so that the page can be served to other machines.

    Prints the lines for the configuration. A browser asks once whether it trusts the certificate; compare its
    fingerprint, or give one of your own authority instead. Needs the extra signed (cryptography).

    Example:
      edge-cli view init /etc/sonoedge/view --name cart-7.local
    """
    from edge.app.view_credentials import make_credentials

    made = make_credentials(out, name or [], force=force, days=DAYS)
    print(f"""token        {made.token_file}
certificate  {made.cert_file}, SHA-256 {made.fingerprint}

Add to the configuration:

[view]
enabled = true
host = "0.0.0.0"
names = [{", ".join(f'"{each}"' for each in made.names)}]
token_file = "{made.token_file}"
cert_file = "{made.cert_file}"
key_file = "{made.key_file}"

Open https://{(made.names or ["ADDRESS"])[0]}:8321/ and enter the token.""")
    return 0
