"""What two machines said of the same frames (`arm.fingerprint`, ``edge-cli infer --json``), held against each other."""

from __future__ import annotations

import json
import math
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

SPARE = "latency_ms"
"""The one field of an answer that two machines need not share."""


@dataclass(slots=True)
class Comparison:
    """Counts by kind of thing: ``tensor``, ``output``, ``pixels``, ``place``, ``phantom``, ``answer``."""

    compared: Counter[str] = field(default_factory=Counter)
    different: Counter[str] = field(default_factory=Counter)
    examples: list[str] = field(default_factory=list)

    @property
    def equal(self) -> bool:
        """Whether all is equal, and there was something to compare."""
        return bool(self.compared.total()) and not self.different

    def note(self, kind: str, same: bool, where: str) -> None:
        """One more thing compared."""
        self.compared[kind] += 1
        if not same:
            self.different[kind] += 1
            self.examples.append(f"{where}: {kind}")

    def as_json(self) -> dict[str, Any]:
        """Plain dicts and lists. (``dataclasses.asdict`` makes something else of a Counter.)"""
        return {"compared": dict(self.compared), "different": dict(self.different), "examples": self.examples}

    def line(self, kind: str) -> str:
        """``123 of 123``."""
        return f"{self.compared[kind] - self.different[kind]} of {self.compared[kind]}"


def read_lines(text: str) -> list[dict[str, Any]]:
    """JSON lines. Raises ValueError for what is none."""
    return [json.loads(line) for line in text.splitlines() if line.strip()]


def compare_fingerprints(ours: list[dict[str, Any]], theirs: list[dict[str, Any]]) -> Comparison:
    """Each hash of each record; what one side lacks is a difference. The first lines, heads, are not compared."""
    result = Comparison()
    left, right = ({(r["what"], r["name"], r["index"]): r["hashes"] for r in side[1:]} for side in (ours, theirs))
    for key in left.keys() | right.keys():
        what, name, index = key
        here, there = left.get(key, {}), right.get(key, {})
        for kind in here.keys() | there.keys():
            group = what if what in ("phantom", "unread") else kind.split(" ")[0]
            result.note(group, here.get(kind) == there.get(kind), f"{what} {name}, {index}: {kind}")
    result.examples.sort()
    return result


def compare_answers(ours: list[dict[str, Any]], theirs: list[dict[str, Any]]) -> Comparison:
    """Answers of ``infer``: ``answer`` counts those that are the same to the last digit, ``near`` as `near` has it."""
    result = Comparison()
    left, right = ({(a["path"], a["frame"]): a for a in side} for side in (ours, theirs))
    for key in left.keys() | right.keys():
        here, there = left.get(key), right.get(key)
        where = f"{key[0]}, frame {key[1]}"
        if here is None or there is None:
            result.note("answer", False, where)
            continue
        same = {k: v for k, v in here.items() if k != SPARE} == {k: v for k, v in there.items() if k != SPARE}
        result.note("answer", same, where)
        result.note("near", near(here, there), where)
    result.examples.sort()
    return result


def near(one: Any, other: Any, *, relative: float = 1e-9) -> bool:
    """The same words and whole numbers in the same places, and figures that agree to ``relative``."""
    if isinstance(one, dict) and isinstance(other, dict):
        keys = (one.keys() | other.keys()) - {SPARE}
        return all(k in one and k in other and near(one[k], other[k], relative=relative) for k in keys)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(near(a, b, relative=relative) for a, b in zip(one, other, strict=True))
    if isinstance(one, float) and isinstance(other, float):
        return math.isclose(one, other, rel_tol=relative, abs_tol=relative)
    return type(one) is type(other) and bool(one == other)
