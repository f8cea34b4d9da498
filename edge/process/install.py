"""Command that installs an extra of this package into the Python that runs: for hints of errors.

The package is on no index, so its name alone installs nothing. What it was installed from (a checkout or a wheel,
PEP 610) is named if it is still there; else the libraries of the extra are, which are on the index.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import sys
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from urllib.parse import unquote, urlsplit

import msgspec

from edge.contracts.decoding import UnreadableError, decode_json

PACKAGE = "sonoedge"
_EXTRA = re.compile(r"^[^;]*;.*\bextra\s*==\s*[\"'](?P<extra>[\w.-]+)[\"']")


class _DirectUrl(msgspec.Struct):
    """``direct_url.json`` of an installation, as far as it is read."""

    url: str = ""


def install_command(extra: str) -> str:
    """Command for a shell that installs the extra ``extra`` beside what runs now."""
    return f"{pip_install()} {extra_argument(extra)}"


def reinstall_command() -> str:
    """Command for a shell that installs this package anew, or at least what it depends on."""
    place = _installed_from()
    if place is not None:
        return f"{pip_install('--force-reinstall')} {shlex.quote(str(place))}"
    return f"{pip_install()} {shlex.join(_libraries_of('') or ['.'])}"


def extra_argument(extra: str) -> str:
    """Argument of ``pip install`` for the extra ``extra``, quoted for a shell."""
    place = _installed_from()
    if place is not None:
        return shlex.quote(f"{place}[{extra}]")
    return shlex.join(_libraries_of(extra) or [f".[{extra}]"])


def pip_install(*libraries: str) -> str:
    """Command for a shell that installs ``libraries`` from the index, by the pip of the Python that runs."""
    found = shutil.which("pip")
    ours = found is not None and os.path.realpath(Path(found).parent) == os.path.realpath(Path(sys.executable).parent)
    pip = ["pip"] if ours else [sys.executable, "-m", "pip"]
    return shlex.join([*pip, "install", *libraries])


def _installed_from() -> Path | None:
    """Checkout or wheel that this package was installed from or runs in; None: there is none any more."""
    checkout = Path(__file__).parents[2]
    if (checkout / "pyproject.toml").is_file() and (checkout / "edge" / "__init__.py").is_file():
        return checkout
    try:
        told = distribution(PACKAGE).read_text("direct_url.json")
        url = urlsplit(decode_json(told or "{}", _DirectUrl).url)
    except (PackageNotFoundError, UnreadableError, ValueError):
        return None
    place = Path(unquote(url.path))
    return place if url.scheme == "file" and place.exists() else None


def _libraries_of(extra: str) -> list[str]:
    """Requirements of the extra (empty: of no extra), as this installation lists them, without environment markers."""
    try:
        listed = distribution(PACKAGE).requires or []
    except PackageNotFoundError:
        return []
    matches = {line: _EXTRA.match(line) for line in listed}
    wanted = [line for line, match in matches.items() if (match["extra"] if match else "") == extra]
    return [re.sub(r"\s", "", line.partition(";")[0]) for line in wanted]
