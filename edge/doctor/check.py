"""One check of ``edge-cli doctor`` and its outcome; exit code of all of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import msgspec

from edge.contracts.errors import ConfigError, DeviceError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from edge.contracts.errors import EdgeError

Mark = Literal["ok", "warning", "wrong", "absent"]
"""``absent``: not there, and not needed as configured."""


class Check(msgspec.Struct, frozen=True, kw_only=True):
    """Outcome of one check: what was checked, what was found, and what to do about it."""

    group: str
    """Subject: ``machine``, ``runtimes``, ``broker`` …"""
    name: str
    """What of it, in a word or two; also what scripts look for."""
    mark: Mark
    text: str
    """What was found."""
    hint: str = ""
    """What to do about it; never empty for ``warning`` and ``wrong``."""
    exit_code: int = 0
    """Of an `EdgeError`; above 0 for ``wrong`` only."""


def ok(group: str, name: str, text: str) -> Check:
    """Check whose subject is in order."""
    return Check(group=group, name=name, mark="ok", text=text)


def absent(group: str, name: str, text: str, hint: str = "") -> Check:
    """Check whose subject is not there, and need not be."""
    return Check(group=group, name=name, mark="absent", text=text, hint=hint)


def warning(group: str, name: str, text: str, hint: str) -> Check:
    """Check that warns: a daemon will run, but not as well as it could."""
    return Check(group=group, name=name, mark="warning", text=text, hint=hint)


def wrong(group: str, name: str, text: str, hint: str, exit_code: int = DeviceError.exit_code) -> Check:
    """Check that failed: a daemon would not run, or not do what it is for."""
    return Check(group=group, name=name, mark="wrong", text=text, hint=hint, exit_code=exit_code)


def wrong_from_error(group: str, name: str, error: EdgeError) -> Check:
    """Check that failed with ``error``.

    A URI that is written wrongly is a matter of the configuration here.
    """
    code = ConfigError.exit_code if isinstance(error, UsageError) else error.exit_code
    return wrong(group, name, error.message, error.hint or "see edge-cli doctor --help", code)


def exit_code_of(checks: Iterable[Check]) -> int:
    """Exit code of all checks: 0 if nothing is wrong, else the lowest code of those that failed.

    That is the code of what stands in the way of all that follows: configuration before model before device before
    broker.
    """
    return min((check.exit_code for check in checks if check.mark == "wrong"), default=0)
