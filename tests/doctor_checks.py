"""Checks of ``edge-cli doctor`` by name, for the tests of its parts."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from edge.doctor.check import Check


def marks(checks: Iterable[Check]) -> dict[str, str]:
    """Mark of each check, by its name."""
    return {check.name: check.mark for check in checks}


def only(checks: Iterable[Check], name: str) -> Check:
    """The one check of that name; fails if there is none, or more than one."""
    (found,) = (check for check in checks if check.name == name)
    return found
