"""Compares what two machines computed of the same frames: `arm.fingerprint` and ``edge-cli infer --json``."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Container

CLIPS = (".avi", ".mp4")
IGNORED_FIELD = "latency_ms"
"""The one field of an answer that two machines need not share."""


VIDEO = "video"
"""Kind of the decoded frames of clips. FFmpeg makes RGB of them by code that rounds otherwise on each machine."""


@dataclass(slots=True)
class Comparison:
    """Result of a comparison: how many were compared, and how many differ, by kind.

    Kinds: ``pixels``, `VIDEO`, ``place``, ``tensor``, ``phantom``, ``output``, ``answer``, ``unread``.
    """

    compared: Counter[str] = field(default_factory=Counter)
    different: Counter[str] = field(default_factory=Counter)
    examples: list[str] = field(default_factory=list)
    decoded_otherwise: set[tuple[str, int]] = field(default_factory=set)
    """File and frame; what is computed from other pixels is not compared."""

    @property
    def sound(self) -> bool:
        """Whether there was something to compare, and nothing differs but frames of clips."""
        return bool(self.compared.total()) and not self.different.keys() - {VIDEO}

    def add(self, kind: str, same: bool, where: str) -> None:
        """Count one compared item of ``kind``; if it differs, keep ``where`` as an example."""
        self.compared[kind] += 1
        if not same:
            self.different[kind] += 1
            self.examples.append(f"{where}: {kind}")

    def as_json(self) -> dict[str, Any]:
        """The comparison as plain dicts and lists. (``dataclasses.asdict`` makes something else of a Counter.)"""
        return {"compared": dict(self.compared), "different": dict(self.different), "examples": self.examples}

    def line(self, kind: str) -> str:
        """How many of ``kind`` are equal, as text: ``123 of 123``."""
        return f"{self.compared[kind] - self.different[kind]} of {self.compared[kind]}"


def read_lines(text: str) -> list[dict[str, Any]]:
    """Parse JSON lines. Raises ValueError for what is none."""
    return [json.loads(line) for line in text.splitlines() if line.strip()]


def compare_fingerprints(ours: list[dict[str, Any]], theirs: list[dict[str, Any]]) -> Comparison:
    """Compare each hash of each record; what one side lacks is a difference. The first line, a head, is left out."""
    result = Comparison()
    left, right = ({(r["what"], r["name"], r["index"]): r["hashes"] for r in side[1:]} for side in (ours, theirs))
    for key in left.keys() | right.keys():
        what, name, index = key
        here, there = left.get(key, {}), right.get(key, {})
        where = f"{what} {name}, {index}"
        if what == "frame" and here and there and here.get("pixels") != there.get("pixels"):
            result.add(VIDEO if name.endswith(CLIPS) else "pixels", False, where)
            result.decoded_otherwise.add((name, index))
            continue
        for kind in here.keys() | there.keys():
            group = kind.split(" ")[0] if what == "frame" else what
            group = VIDEO if kind == "pixels" and name.endswith(CLIPS) else group
            one, other = here.get(kind, ""), there.get(kind, "")
            result.add(group, bool(one) and one == other, f"{where}: {kind}: {one[:16]}, {other[:16]}")
    result.examples.sort()
    return result


def compare_answers(
    ours: list[dict[str, Any]], theirs: list[dict[str, Any]], excluded: Container[tuple[str, int]] = ()
) -> Comparison:
    """Compare answers of ``infer``: ``answer`` counts those that are equal to the last digit.

    ``excluded``: files and frames that are not compared.
    """
    result = Comparison()
    left, right = ({(a["path"], a["frame"]): a for a in side} for side in (ours, theirs))
    for key in left.keys() | right.keys():
        if key in excluded:
            continue
        here, there = left.get(key), right.get(key)
        where = f"{key[0]}, frame {key[1]}"
        if here is None or there is None:
            result.add("answer", False, where)
            continue
        same = {k: v for k, v in here.items() if k != IGNORED_FIELD} == {
            k: v for k, v in there.items() if k != IGNORED_FIELD
        }
        result.add("answer", same, where)
    result.examples.sort()
    return result
