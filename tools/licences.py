"""Lists the licences of the installed packages: copyleft first, and beside each what its licence files name.

    python -m tools.licences      of the Python that runs it (make licences)

What a package says of itself stands in its metadata. Wheels bring libraries of others along (OpenCV's has FFmpeg):
their licences stand in its licence files alone, so those are searched too. It is a list to be read, not a lawyer's
opinion.
"""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass
from importlib.metadata import Distribution, distribution, distributions
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

PROJECT = "sonoedge"
COPYLEFT = re.compile(r"\b(?:[AL]?GPL|MPL|EPL|EUPL|CDDL|OSL|SSPL)|GNU .*General Public|Mozilla Public|Eclipse Public")
NAMED = re.compile(
    r"GNU\s+(?:AFFERO\s+|LESSER\s+|LIBRARY\s+)?GENERAL\s+PUBLIC\s+LICENSE\b|MOZILLA\s+PUBLIC\s+LICENSE", re.I
)
MENTIONED = re.compile(
    r"""["“]Secondary\ License["”]\ means.{0,300}?those\ licenses"""  # MPL 2.0
    r"""|13\.\ Use\ with\ the\ GNU\ Affero.{0,1200}?(?=14\.\ Revised\ Versions)"""  # GPL 3
    r"""|use\ the\ GNU\ Lesser\ General\ Public\ License\ instead\ of\ this\ License"""  # GPL 2 and 3
    r"""|the\ ordinary\ GNU\ General\ Public\ License"""  # LGPL 2 and 2.1
    r"""|(?:incorporates\ the\ terms\ and\ conditions\ of|"GNU\ GPL"\ refers\ to)"""
    r"""\ version\ 3\ of\ the\ GNU\ General\ Public\ License"""  # LGPL 3
    r"""|previously\ distributed\ under\ the\ GNU\ General\ Public\ License""",  # Python's
    re.I | re.X,
)
"""Passages of licences that name another one which does not hold by that."""
HEADER = f"{'mark':9}{'':5}{'package':38} its licence"
LEGEND = """
copyleft: its own licence is. unknown: its metadata tells none. brings: its licence files name copyleft licences: of
libraries of others that its wheel holds, or of one of several to choose from. base: the base install needs it; all
others come with extras, the tests or the tools."""
LICENCE_FILE = re.compile(r"(?:^|/)(?:licen[cs]e|copying|notice|third.?party)[^/]*$", re.I)
UNKNOWN = "not told"


@dataclass(frozen=True)
class PackageLicence:
    """Licence of one installed package, and the copyleft licences that its files name."""

    name: str
    version: str
    licence: str
    named: tuple[str, ...]
    """Licences of others' libraries, as its licence files name them."""
    base: bool
    """Whether the base install needs it; else an extra, the tests or the tools do."""

    @property
    def rank(self) -> int:
        """Order of the list: 0 copyleft, 1 not told, 2 copyleft named in its files, 3 all others."""
        if is_copyleft(self.licence):
            return 0
        return 1 if self.licence == UNKNOWN else 2 if self.named else 3

    def line(self) -> str:
        """One line of the list."""
        mark = ("copyleft", "unknown", "brings", "")[self.rank]
        needed = "base" if self.base else ""
        named = f"; its files name: {', '.join(self.named)}" if self.named else ""
        return f"{mark:9}{needed:5}{self.name + ' ' + self.version:38} {self.licence}{named}"


def is_copyleft(licence: str) -> bool:
    """Whether a licence is copyleft; of several to choose from (OR), whether all are."""
    return all(COPYLEFT.search(choice) for choice in re.split(r"\s+OR\s+", licence))


def licence_of(package: Distribution) -> str:
    """What the metadata says: the expression, else the classifiers, else the first line of the field."""
    told = {key: str(package.metadata[key]).strip() for key in package.metadata}
    if told.get("License-Expression"):
        return told["License-Expression"]
    classifiers = package.metadata.get_all("Classifier") or []
    classified = [one.rpartition(" :: ")[2] for one in classifiers if one.startswith("License ::")]
    licences = [one for one in classified if one not in ("OSI Approved", "DFSG approved")]
    return " AND ".join(licences) or told.get("License", "").split("\n")[0][:60] or UNKNOWN


def named_in_files(package: Distribution) -> tuple[str, ...]:
    """Names of the copyleft licences that stand in the package's licence files."""
    found = set()
    for file in package.files or ():
        if LICENCE_FILE.search(str(file)) and file.suffix != ".py":
            text = file.read_binary().decode("utf-8", "replace")
            text = MENTIONED.sub("", " ".join(text.split()))
            found |= {" ".join(name.split()).title().replace("Gnu", "GNU") for name in NAMED.findall(text)}
    return tuple(sorted(found))


def canonical(name: str) -> str:
    """Name of a package as package indexes compare it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def base_packages(project: str = PROJECT) -> set[str]:
    """Canonical names of the packages that the base install of the project needs, and theirs."""
    return {canonical(project), *_required(canonical(project), set())}


def _required(name: str, seen: set[str]) -> set[str]:
    from packaging.requirements import Requirement  # of the test environment

    for text in distribution(name).requires or ():
        wanted = Requirement(text)
        key = canonical(wanted.name)
        if key not in seen and (wanted.marker is None or wanted.marker.evaluate({"extra": ""})):
            seen.add(key)
            _required(key, seen)
    return seen


def licences(packages: Iterable[Distribution], base: set[str]) -> Iterator[PackageLicence]:
    """Licence of each package, once each."""
    by_name = {canonical(str(one.metadata["Name"])): one for one in packages}
    for name, package in sorted(by_name.items()):
        yield PackageLicence(name, package.version, licence_of(package), named_in_files(package), name in base)


def main() -> int:
    """Print the list, what needs a look first."""
    found = sorted(licences(distributions(), base_packages()), key=lambda one: (one.rank, not one.base, one.name))
    print("\n".join([HEADER, *(one.line() for one in found)]))
    print(LEGEND)
    first = ", ".join(one.name for one in found if one.base and one.rank < 2) or "none"
    print(f"\n{len(found)} packages; of the base install copyleft or unknown: {first}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
