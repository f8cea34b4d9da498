"""Measures the disk size of the base install, by package.

    python benchmarks/footprint.py [--extra demo] [--bytecode]

Fetches the wheels of Python 3.11 for both machines as constraints.txt fixes them, and adds up what is in them. Bytecode
(``__pycache__``) is not in a wheel: pip writes it when it installs; `--bytecode` says how much, by compiling all of it.
MB are 1024 x 1024 bytes.
"""

from __future__ import annotations

import argparse
import compileall
import sys
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1] / "tests"))

from arm.wheels import PYTHON_VERSION, pip

from edge.cli.errors import report
from edge.contracts.errors import DeviceError, EdgeError

PROJECT = Path(__file__).parents[1]
MACHINES = ("x86_64", "aarch64")
MB = 2**20


@dataclass(frozen=True, slots=True)
class Package:
    """Wheel of a package with its sizes."""

    name: str
    version: str
    download: int
    """Bytes of the wheel."""
    installed: int
    """Bytes of its files."""


def read_wheel(path: Path) -> Package:
    """Read the sizes of one wheel. Raises `DeviceError` for a broken one."""
    name, version = path.name.split("-")[:2]
    try:
        with zipfile.ZipFile(path) as archive:
            installed = sum(info.file_size for info in archive.infolist())
    except zipfile.BadZipFile as error:
        raise DeviceError(f"{path.name} is no wheel: {error}", hint="clear pip's cache, and run it again") from error
    return Package(name.replace("_", "-"), version, path.stat().st_size, installed)


def packages(wheel: Path, extras: list[str], machine: str, folder: Path) -> list[Package]:
    """Packages of ``wheel`` and all that it asks for on ``machine``, heaviest first."""
    asked = f"{wheel}[{','.join(extras)}]" if extras else str(wheel)
    pip(
        "download",
        machine,
        "--dest",
        folder,
        "--constraint",
        PROJECT / "constraints.txt",
        asked,
        log=folder / "pip.log",
    )
    return sorted((read_wheel(path) for path in folder.glob("*.whl")), key=lambda package: -package.installed)


def bytecode(folder: Path) -> int:
    """Bytes that compiling all wheels in ``folder`` adds."""
    into = folder / "unpacked"
    for wheel in folder.glob("*.whl"):
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(into)
    compileall.compile_dir(into, quiet=2)
    return sum(path.stat().st_size for path in into.rglob("*.pyc"))


def table(found: dict[str, list[Package]]) -> str:
    """Markdown table: a row a package, in the order of the first machine."""
    head = ["package", *(f"{machine} {what}" for machine in found for what in ("download", "on disk"))]
    by_name = {machine: {package.name: package for package in given} for machine, given in found.items()}
    names = list(dict.fromkeys(package.name for given in found.values() for package in given))
    rows = []
    for name in names:
        each = [by_name[machine].get(name) for machine in found]
        version = next(package.version for package in each if package is not None)
        sizes = [text for p in each for text in (["-", "-"] if p is None else [mb(p.download), mb(p.installed)])]
        rows.append([f"{name} {version}", *sizes])
    totals = [
        mb(sum(sizes))
        for given in found.values()
        for sizes in ([p.download for p in given], [p.installed for p in given])
    ]
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows, ["**all**", *(f"**{total}**" for total in totals)]]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def mb(size: int) -> str:
    """Text of a size in MB (2^20 bytes) with two significant digits."""
    value = size / MB
    return f"{value:.0f}" if value >= 10 else f"{value:.1f}" if value >= 1 else f"{value:.2f}"


def main() -> int:
    """Measure both machines and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--extra", action="append", default=[], help="an extra of the package; may be given again")
    parser.add_argument("--bytecode", action="store_true", help="compile all of it, and say what that adds")
    options = parser.parse_args()
    try:
        wheels = sorted((PROJECT / "dist").glob("sonoedge-*.whl"), key=lambda path: path.stat().st_mtime)
        if not wheels:
            raise DeviceError("there is no wheel in dist/", hint="make .venv-test/installed builds one")
        with tempfile.TemporaryDirectory(prefix="footprint-") as place:
            found, added = {}, {}
            for machine in MACHINES:
                folder = Path(place) / machine
                folder.mkdir()
                found[machine] = packages(wheels[-1], options.extra, machine, folder)
                added[machine] = bytecode(folder) if options.bytecode else None
    except (EdgeError, KeyboardInterrupt) as error:
        return report(error)
    print(f"Python {PYTHON_VERSION}, MB\n\n{table(found)}")
    for machine, size in added.items():
        if size is not None:
            print(f"{machine}: bytecode adds {mb(size)} MB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
