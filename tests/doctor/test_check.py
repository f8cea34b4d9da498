"""Exit code of all checks together."""

from __future__ import annotations

from edge.doctor.check import absent, exit_code_of, ok, warning, wrong


def test_the_exit_code_is_of_what_must_be_mended_first() -> None:
    fine = [ok("a", "b", "c"), warning("a", "b", "c", "d"), absent("a", "b", "c")]
    assert exit_code_of(fine) == 0
    broker, device, model = (wrong("a", "b", "c", "d", code) for code in (6, 5, 4))
    assert exit_code_of([*fine, broker]) == 6
    assert exit_code_of([broker, model, *fine, device]) == 4
