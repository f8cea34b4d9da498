"""``doctor`` says which optional libraries are not here, what lacks without them, and how to get them."""

from __future__ import annotations

import sys

import pytest

from edge.doctor import extras
from edge.doctor.extras import EXTRAS, check_extras


def test_each_extra_has_a_line() -> None:
    assert [check.name for check in check_extras()] == [f"extra {extra}" for extra, _, _ in EXTRAS]


@pytest.mark.parametrize(("extra", "modules", "purpose"), EXTRAS)
def test_what_is_missing_is_named_with_the_command_that_installs_it(monkeypatch, extra, modules, purpose) -> None:
    monkeypatch.setitem(sys.modules, modules[0], None)  # as if it were not installed
    check = next(check for check in check_extras() if check.name == f"extra {extra}")
    assert (check.mark, check.exit_code) == ("absent", 0)
    assert purpose in check.text
    assert modules[0] in check.text
    assert "pip install" in check.hint


def test_they_are_not_loaded_for_it(monkeypatch) -> None:
    asked = []
    monkeypatch.setattr(extras, "find_spec", lambda name: asked.append(name))
    assert all(check.mark == "absent" for check in check_extras())
    assert "jpeg_ls" in asked
