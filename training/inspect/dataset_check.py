"""Data-set check for ``training check DIR``: broken files, duplicates, look-alikes and leaking splits in a folder."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from tqdm import tqdm

from edge.contracts.errors import ConfigError
from training.classify.folder import (
    GROUPS,
    MASKS,
    SIDES,
    find_mask,
    pictures_below,
    read_groups,
    write_groups,
)
from training.classify.pictures import BrokenPictureError, read_grey, read_mask
from training.inspect.lookalikes import connected_components, find_lookalikes, orb_features

if TYPE_CHECKING:
    from pathlib import Path

    from training.datasets import Split
    from training.inspect.lookalikes import OrbFeatures

    Groups = dict[str, tuple[str, Split | None]]
    """Group and side of a picture, by its path below the folder, as groups.csv says."""

SHOWN = 15


@dataclass
class DatasetReport:
    """Result of a data-set check; paths are relative to the folder."""

    folder: str
    pictures: int = 0
    broken: list[dict[str, str]] = field(default_factory=list)
    """file, why."""
    masks: list[dict[str, str]] = field(default_factory=list)
    """Masks that cannot be used, most often because they are not of their picture's size: file, why."""
    duplicates: list[list[str]] = field(default_factory=list)
    """Pictures whose pixels are equal."""
    lookalikes: list[dict[str, Any]] = field(default_factory=list)
    """Pairs that show the same, zoomed or annotated anew: first, second, correlation, zoom."""
    torn: list[dict[str, Any]] = field(default_factory=list)
    """Groups, duplicates or look-alikes on more than one side of the split: what, sides, files."""
    apart: list[dict[str, Any]] = field(default_factory=list)
    """Duplicates and look-alikes that groups.csv counts as different patients: files, groups."""
    classes: dict[str, int] = field(default_factory=dict)
    """Pictures by class folder."""

    @property
    def ok(self) -> bool:
        """Whether nothing was found that makes training or its metrics wrong."""
        return not (self.broken or self.masks or self.torn or self.apart)

    def as_json(self) -> dict[str, Any]:
        """All findings as a tree for JSON."""
        return {"ok": self.ok, **asdict(self)}


def check_dataset(root: Path, lookalikes: bool = True, regroup: bool = False) -> DatasetReport:
    """Check every picture below ``root``; ``regroup``: write ``groups.csv`` with look-alikes in one group.

    Raises ConfigError for a folder that is none or holds no picture.
    """
    paths = [p for p in pictures_below(root) if p.relative_to(root).parts[0] != MASKS] if root.is_dir() else []
    if not paths:
        raise ConfigError(f"{root} holds no pictures", hint="give a folder that has png, jpg or dcm files below it")
    report = DatasetReport(str(root), len(paths))
    known_groups = read_groups(root / GROUPS) if (root / GROUPS).is_file() else {}
    names, features, same = _read_pictures(report, root, paths, lookalikes)
    report.duplicates = [[names[i] for i in numbers] for numbers in same]
    links = {(numbers[0], other) for numbers in same for other in numbers[1:]}
    known = {frozenset((a, b)) for numbers in same for a in numbers for b in numbers}
    for pair in find_lookalikes(features) if lookalikes else ():
        if frozenset((pair.first, pair.second)) in known:
            continue
        known.add(frozenset((pair.first, pair.second)))
        links.add((pair.first, pair.second))
        report.lookalikes.append(
            {
                "first": names[pair.first],
                "second": names[pair.second],
                "correlation": round(pair.correlation, 3),
                "zoom": round(pair.zoom, 2),
            }
        )
    if regroup:
        _regroup(root, names, sorted(links), known_groups)
        known_groups = read_groups(root / GROUPS)
    _check_groups(report, names, sorted(links), known_groups)
    return report


def _read_pictures(
    report: DatasetReport, root: Path, paths: list[Path], lookalikes: bool
) -> tuple[list[str], list[OrbFeatures], list[list[int]]]:
    """Names of the readable pictures, their features, and the numbers of equal ones; the others go into the report."""
    names: list[str] = []
    features: list[OrbFeatures] = []
    digests: dict[str, list[int]] = defaultdict(list)
    for path in tqdm(paths, desc="read pictures", mininterval=2):
        key = path.relative_to(root).as_posix()
        try:
            grey = read_grey(path)
        except BrokenPictureError as error:
            report.broken.append({"file": key, "why": error.message.removeprefix(f"{path}: ")})
            continue
        digests[hashlib.sha256(str(grey.shape).encode() + grey.tobytes()).hexdigest()].append(len(names))
        names.append(key)
        if lookalikes:
            features.append(orb_features(grey))
        if (mask := find_mask(path, root)) is not None:
            try:
                read_mask(mask, grey.shape)
            except BrokenPictureError as error:
                why = error.message.removeprefix(f"{mask}: ")
                report.masks.append({"file": mask.relative_to(root).as_posix(), "why": why})
    return names, features, [numbers for numbers in digests.values() if len(numbers) > 1]


def _check_groups(report: DatasetReport, names: list[str], links: list[tuple[int, int]], known_groups: Groups) -> None:
    """Report groups and equal pictures that are on several sides of the split or in different groups."""
    sides = {name: _side(name, known_groups) for name in names}
    groups: dict[str, list[str]] = defaultdict(list)
    for name in names:
        label = next((p for p in name.split("/") if p not in SIDES), "")
        report.classes[label] = report.classes.get(label, 0) + 1
        if name in known_groups:
            groups[known_groups[name][0]].append(name)
    for group, files in sorted(groups.items()):
        found = {sides[f] for f in files} - {""}
        if len(found) > 1:
            report.torn.append({"what": f"group {group}", "sides": sorted(found), "files": files})
    for a, b in links:
        files = [names[a], names[b]]
        found = {sides[f] for f in files} - {""}
        if len(found) > 1:
            report.torn.append({"what": "the same picture", "sides": sorted(found), "files": files})
        if known_groups and known_groups.get(names[a], ("",))[0] != known_groups.get(names[b], ("",))[0]:
            report.apart.append({"files": files, "groups": [known_groups.get(f, ("",))[0] for f in files]})
    if links and not known_groups and not report.torn:
        # Nothing says that they are one patient's: a split by picture would put them on both sides.
        report.apart = [{"files": [names[a], names[b]], "groups": []} for a, b in links]


def _side(name: str, known_groups: Groups) -> str:
    top = name.split("/")[0]
    given = known_groups[name][1] if name in known_groups else None
    return given or SIDES.get(top) or ""


def _regroup(root: Path, names: list[str], links: list[tuple[int, int]], known_groups: Groups) -> None:
    """Write ``groups.csv``: the known groups, joined where pictures look alike. Raises ConfigError if it has sides."""
    if any(row[1] for row in known_groups.values()):
        raise ConfigError(
            f"{root / GROUPS} says sides, which groups that are joined may tear", hint="take its column split out first"
        )
    first: dict[str, int] = {}
    together = list(links)
    for number, name in enumerate(names):
        if name in known_groups:
            together.append((first.setdefault(known_groups[name][0], number), number))
    lowest = connected_components(together, len(names))
    label = [known_groups.get(names[i], (names[i],))[0] for i in lowest]
    write_groups(root / GROUPS, list(zip(names, label, strict=True)))


def as_text(report: DatasetReport) -> str:
    """Format the result of a check as text for people."""
    lines = [f"{report.pictures} pictures in {report.folder}"]
    lines += [f"  {count:6} {name}" for name, count in sorted(report.classes.items())]
    parts = (
        ("broken pictures", [f"{b['file']}: {b['why']}" for b in report.broken]),
        ("masks that do not fit", [f"{b['file']}: {b['why']}" for b in report.masks]),
        ("equal pictures", [", ".join(files) for files in report.duplicates]),
        (
            "look-alikes",
            [
                f"{p['first']}, {p['second']} (correlation {p['correlation']}, zoom {p['zoom']})"
                for p in report.lookalikes
            ],
        ),
        (
            "torn by the split",
            [f"{t['what']} in {', '.join(t['sides'])}: {', '.join(t['files'][:4])}" for t in report.torn],
        ),
        ("equal or alike, but not one group", [", ".join(a["files"]) for a in report.apart]),
    )
    for title, rows in parts:
        lines.append(f"{title}: {len(rows) or 'none'}")
        lines += [f"  {row}" for row in rows[:SHOWN]]
        lines += [f"  and {len(rows) - SHOWN} more: --json names them all"] if len(rows) > SHOWN else []
    lines.append("nothing that spoils training" if report.ok else "NOT ready to learn from")
    return "\n".join(lines)
