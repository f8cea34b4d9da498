from __future__ import annotations

import numpy as np
import pytest

from edge.contracts.errors import DeviceError, ModelError
from edge.contracts.results import Reason
from edge.contracts.tensors import RuntimeSpec, Tensor, TensorSpec
from edge.pipeline.guard import Guard

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
    return Guard(lambda: waiting.pop(0), test, timeout_s=0.01)


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
