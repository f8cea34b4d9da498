"""Row of a table of abstention rules, and which row of a table applies first."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

    from edge.contracts.results import Reason

Inputs = TypeVar("Inputs")


@dataclass(frozen=True, slots=True)
class AbstentionRule(Generic[Inputs]):
    """One row of the table: when a frame is not judged, under which reason, and why that is right."""

    reason: Reason
    applies: Callable[[Inputs], bool]
    why: str
    """In a sentence, for people."""


def first_reason(rules: tuple[AbstentionRule[Inputs], ...], inputs: Inputs) -> Reason | None:
    """Reason of the first of ``rules`` that applies to ``inputs``; None if none does."""
    for rule in rules:
        if rule.applies(inputs):
            return rule.reason
    return None
