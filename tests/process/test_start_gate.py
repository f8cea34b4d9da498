"""The start gate: children wait until all have checked, and their successors find it open."""

from __future__ import annotations

import threading

from edge.process.start_gate import StartGate, say_checked, wait_at_gate


def test_it_is_all_checked_when_each_child_has_said_so() -> None:
    gate = StartGate(2)
    assert not gate.all_checked()
    say_checked(gate.fds)
    assert not gate.all_checked()
    say_checked(gate.fds)
    assert gate.all_checked()
    assert gate.all_checked()
    gate.close()


def test_whoever_waits_goes_on_when_it_is_opened_and_whoever_comes_later_too() -> None:
    gate = StartGate(1)
    passed: list[bool] = []
    waiting = threading.Thread(target=lambda: passed.append(wait_at_gate(gate.fds, lambda: False)))
    waiting.start()
    assert not passed
    gate.open()
    gate.open()
    waiting.join(30)
    assert passed == [True]
    assert wait_at_gate(gate.fds, lambda: False)
    gate.close()


def test_who_is_asked_to_stop_does_not_go_on() -> None:
    gate = StartGate(1)
    assert not wait_at_gate(gate.fds, lambda: True)
    gate.open()
    assert not wait_at_gate(gate.fds, lambda: True)
    gate.close()


def test_without_a_gate_nobody_waits() -> None:
    say_checked(())
    assert wait_at_gate((), lambda: False)
    assert not wait_at_gate((), lambda: True)
