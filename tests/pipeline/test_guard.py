"""The runtime guard: time limit, replacement, self-test and fall-back."""

from __future__ import annotations

import threading
import time

import numpy as np
import pytest
from brokers import wait_until

from edge.contracts.errors import DeviceError, ModelError
from edge.contracts.results import Reason
from edge.contracts.tensors import RuntimeSpec, Tensor, TensorSpec
from edge.pipeline.guard import RuntimeGuard

SPEC = RuntimeSpec(name="test", family="test", delegate=None, version="1", input=TensorSpec(shape=(1, 2)), outputs={})
TENSOR = Tensor(np.zeros((1, 2), np.uint8), SPEC.input)


class Puppet:
    """A runtime that answers what it is told: an outputs dict, None (hangs) or an exception."""

    spec = SPEC

    def __init__(self, answers):
        self.answers, self.closed = list(answers), False

    def submit(self, tensor):
        pass

    def wait(self, timeout_s):
        answer = self.answers.pop(0) if self.answers else {}
        if isinstance(answer, Exception):
            raise answer
        return answer

    def close(self):
        self.closed = True


def guard_over(*puppets, test=lambda runtime: None):
    waiting = list(puppets)
    return RuntimeGuard([lambda: waiting.pop(0)], test, timeout_s=0.01)


def ask(guard):
    return guard.submit(TENSOR) or guard.wait()


@pytest.mark.parametrize(
    ("fault", "reason"),
    [(None, Reason.RUNTIME_HUNG), (DeviceError("died"), Reason.RUNTIME_LOST)],
)
def test_a_fault_costs_its_frame_and_the_next_is_answered_by_a_tested_replacement(fault, reason):
    first, second, tested = Puppet([{"a": 1}, fault]), Puppet([{"a": 2}]), []
    guard = guard_over(first, second, test=tested.append)
    assert ask(guard) == {"a": 1}
    assert ask(guard) is reason
    assert first.closed
    assert guard.problems == [reason.value]
    assert ask(guard) == {"a": 2}
    assert tested == [first, second]
    assert guard.problems == []
    assert guard.restarts == 1


def test_a_replacement_that_fails_its_test_judges_nothing():
    second = Puppet([{"a": 2}])

    def test(runtime):
        if runtime is second:
            raise ModelError("golden vectors differ")

    guard = guard_over(Puppet([None]), second, test=test)
    assert ask(guard) is Reason.RUNTIME_HUNG
    assert ask(guard) is Reason.SELF_TEST_FAILED
    assert second.closed
    assert ask(guard) is Reason.SELF_TEST_FAILED  # and it is not tried again at once


def test_at_the_start_a_failed_test_is_the_users_to_mend():
    runtime = Puppet([])

    def test(_):
        raise ModelError("golden vectors differ")

    with pytest.raises(ModelError, match="golden"):
        guard_over(runtime, test=test)
    assert runtime.closed


def guard_with_fallback(configured, fallbacks, test=lambda runtime: None, probe_s=3600.0):
    """``configured`` and ``fallbacks`` are lists of puppets, given out in turn whenever a runtime is made."""
    return RuntimeGuard(
        [lambda: configured.pop(0), lambda: fallbacks.pop(0)], test=test, timeout_s=0.01, probe_s=probe_s
    )


def until(guard, wanted, frames=400):
    """Ask for frames until the answer is ``wanted``; all answers before it."""
    before = []
    for _ in range(frames):
        if (answer := ask(guard)) == wanted:
            return before
        before.append(answer)
        time.sleep(0.005)
    raise AssertionError(before[-3:])


def test_a_fall_back_takes_over_says_so_and_the_configured_runtime_returns_when_it_has_passed_its_test():
    first, back, spare, tested = Puppet([{"a": 1}, None]), Puppet([{"a": 3}] * 9), Puppet([{"a": 2}] * 999), []
    idle = Puppet([])
    guard = guard_with_fallback([first, back], [spare, idle], tested.append, probe_s=0.05)
    assert ask(guard) == {"a": 1}
    assert (guard.ref.fallback, guard.problems) == (False, [])
    assert ask(guard) is Reason.RUNTIME_HUNG
    assert ask(guard) == {"a": 2}
    assert (guard.ref.fallback, guard.problems) == (True, ["runtime_fallback"])
    assert set(map(str, until(guard, {"a": 3}))) <= {"{'a': 2}"}  # no frame was lost to probing
    assert (guard.ref.fallback, guard.problems) == (False, [])
    assert tested[:3] == [first, spare, back]
    assert (first.closed, spare.closed, back.closed) == (True, True, False)
    guard.close()
    assert back.closed
    wait_until(lambda: idle.closed)  # the next in line, which was not needed


def test_a_configured_runtime_that_fails_its_test_when_probed_does_not_return_and_is_asked_more_rarely():
    bad = [Puppet([{"a": 3}]) for _ in range(2)]
    spare = Puppet([{"a": 2}] * 999)

    def test(runtime):
        if runtime in bad:
            raise ModelError("golden vectors differ")

    guard = guard_with_fallback([Puppet([None]), *bad], [spare], test, probe_s=0.02)
    assert ask(guard) is Reason.RUNTIME_HUNG
    deadline = time.monotonic() + 10
    while not bad[1].closed and time.monotonic() < deadline:
        assert ask(guard) == {"a": 2}
        time.sleep(0.005)
    assert [one.closed for one in bad] == [True, True]
    assert guard.problems == ["runtime_fallback"]
    assert guard._probe_pause_s >= 0.04


def test_a_fall_back_is_ready_before_it_is_needed():
    tested, spare = [], Puppet([{"a": 2}])
    guard = guard_with_fallback([Puppet([{"a": 1}, None])], [spare], tested.append)
    assert ask(guard) == {"a": 1}
    wait_until(lambda: spare in tested)
    assert guard.ref.fallback is False
    assert ask(guard) is Reason.RUNTIME_HUNG
    assert ask(guard) == {"a": 2}


def test_when_the_fall_back_fails_too_the_configured_runtime_is_made_anew():
    guard = guard_with_fallback([Puppet([None]), Puppet([{"a": 3}])], [Puppet([DeviceError("died")]), Puppet([])])
    assert ask(guard) is Reason.RUNTIME_HUNG
    assert ask(guard) is Reason.RUNTIME_LOST
    assert ask(guard) == {"a": 3}
    assert guard.problems == []


def test_a_fall_back_serves_from_the_start_where_the_configured_runtime_cannot_be_had():
    def test(runtime):
        if runtime is bad:
            raise ModelError("golden vectors differ")

    bad, spare = Puppet([]), Puppet([{"a": 2}])
    guard = guard_with_fallback([bad], [spare], test)
    assert bad.closed
    assert ask(guard) == {"a": 2}
    assert guard.problems == ["runtime_fallback"]


def test_if_none_can_be_had_at_the_start_the_configured_ones_error_is_told():
    def test(runtime):
        raise ModelError("first" if runtime is first else "second")

    first, second = Puppet([]), Puppet([])
    with pytest.raises(ModelError, match="first"):
        guard_with_fallback([first], [second], test)
    assert first.closed
    assert second.closed


def test_a_replacement_that_hangs_while_it_loads_does_not_hold_the_loop(monkeypatch):
    monkeypatch.setattr("edge.pipeline.guard.REPLACEMENT_WAIT_S", 0.01)
    loading, slow, made = threading.Event(), Puppet([{"a": 2}]), [Puppet([None])]

    def make():
        if made:
            return made.pop()
        loading.wait(20)
        return slow

    guard = RuntimeGuard([make], lambda runtime: None, timeout_s=0.01)
    assert [ask(guard) for _ in range(3)] == [Reason.RUNTIME_HUNG] * 3
    loading.set()
    until(guard, {"a": 2})


def test_what_is_still_loading_when_the_guard_closes_is_closed_too(monkeypatch):
    loading, slow, made = threading.Event(), Puppet([]), [Puppet([None])]
    monkeypatch.setattr("edge.pipeline.guard.REPLACEMENT_WAIT_S", 0.01)

    def make():
        if made:
            return made.pop()
        loading.wait(20)
        return slow

    guard = RuntimeGuard([make], lambda runtime: None, timeout_s=0.01)
    assert ask(guard) is Reason.RUNTIME_HUNG
    guard.close()
    loading.set()
    wait_until(lambda: slow.closed)


def test_one_that_fails_again_and_again_is_replaced_after_growing_pauses():
    made = []

    def make():
        made.append(Puppet([None]))
        return made[-1]

    guard = RuntimeGuard([make], lambda runtime: None, timeout_s=0.01)
    answers = [ask(guard) for _ in range(50)]
    assert set(answers) == {Reason.RUNTIME_HUNG}
    assert len(made) <= 3  # the first, one at once, and one half a second later


def test_an_error_that_is_none_of_ours_is_told_as_a_lost_runtime():
    made = [Puppet([None])]

    def make():
        if made:
            return made.pop()
        raise OSError("no processes left")

    guard = RuntimeGuard([make], lambda runtime: None, timeout_s=0.01)
    assert ask(guard) is Reason.RUNTIME_HUNG
    assert ask(guard) is Reason.RUNTIME_LOST
