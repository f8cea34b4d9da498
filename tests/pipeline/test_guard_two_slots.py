"""A runtime that takes two tensors gets the next one while it computes: what is lost with it is computed again."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest

from edge.contracts.errors import DeviceError
from edge.contracts.results import Reason
from edge.contracts.tensors import RuntimeSpec, Tensor, TensorSpec
from edge.pipeline.guard import RuntimeGuard

ONE = RuntimeSpec(name="test", family="test", delegate=None, version="1", input=TensorSpec(shape=(1, 1)), outputs={})
TWO = msgspec.structs.replace(ONE, takes=2)


def tensor(number):
    return Tensor(np.full((1, 1), number, np.uint8), ONE.input)


class Echo:
    """Answers what it was given, in order; fails at the tensor ``bad`` in the way of ``fault``. Counts what waits."""

    def __init__(self, spec, bad=None, fault=None):
        self.spec, self.bad, self.fault = spec, bad, fault
        self.given, self.most, self.seen = [], 0, []

    def submit(self, tensor):
        number = int(tensor.values[0, 0])
        self.given.append(number)
        self.seen.append(number)
        self.most = max(self.most, len(self.given))

    def wait(self, timeout_s):
        number = self.given.pop(0)
        if number != self.bad:
            return {"a": number}
        if isinstance(self.fault, Exception):
            raise self.fault
        return None

    def close(self):
        self.given.clear()


def run(guard, count):
    """As the loop does: the next is queued before the last is waited for."""
    answers, flying = [], False
    for number in range(count):
        guard.submit_next(tensor(number))
        if flying:
            answers.append(guard.wait())
        reason = guard.submit(tensor(number))
        flying = reason is None
        if reason is not None:
            answers.append(reason)
    return [*answers, guard.wait()]


@pytest.mark.parametrize(("spec", "most"), [(ONE, 1), (TWO, 2)])
def test_as_many_are_with_the_runtime_as_it_takes_and_each_gets_its_own_answer(spec, most):
    runtime = Echo(spec)
    guard = RuntimeGuard([lambda: runtime], lambda _: None, timeout_s=0.01)
    assert run(guard, 6) == [{"a": number} for number in range(6)]
    assert runtime.most == most
    assert runtime.seen == list(range(6))  # none twice


@pytest.mark.parametrize(
    ("fault", "reason"), [(None, Reason.RUNTIME_HUNG), (DeviceError("died", hint=""), Reason.RUNTIME_LOST)]
)
def test_a_fault_costs_its_frame_alone_what_was_queued_behind_it_is_computed_by_the_replacement(fault, reason):
    first, second = Echo(TWO, bad=2, fault=fault), Echo(TWO)
    waiting = [first, second]
    guard = RuntimeGuard([lambda: waiting.pop(0)], lambda _: None, timeout_s=0.01)
    assert run(guard, 6) == [{"a": 0}, {"a": 1}, reason, {"a": 3}, {"a": 4}, {"a": 5}]
    assert first.seen == [0, 1, 2, 3]
    assert second.seen == [3, 4, 5]


def test_a_runtime_that_refuses_the_queued_one_is_heard_of_when_it_is_waited_for():
    class Gone(Echo):
        def submit(self, tensor):
            if int(tensor.values[0, 0]) == 1:
                raise DeviceError("gone", hint="")
            super().submit(tensor)

        def wait(self, timeout_s):
            raise DeviceError("gone", hint="")

    waiting = [Gone(TWO), Echo(TWO)]
    guard = RuntimeGuard([lambda: waiting.pop(0)], lambda _: None, timeout_s=0.01)
    assert run(guard, 3) == [Reason.RUNTIME_LOST, {"a": 1}, {"a": 2}]


def test_a_fall_back_gets_one_at_a_time_so_that_the_configured_one_can_return_between_two():
    class Broken(Echo):
        def wait(self, timeout_s):
            raise DeviceError("broken", hint="")

    spare = Echo(TWO)
    configured = [Broken(TWO), Echo(TWO)]
    guard = RuntimeGuard([lambda: configured.pop(0), lambda: spare], lambda _: None, timeout_s=0.01, probe_s=3600.0)
    assert run(guard, 5) == [Reason.RUNTIME_LOST, {"a": 1}, {"a": 2}, {"a": 3}, {"a": 4}]
    assert guard.ref.fallback
    assert spare.most == 1
    guard.close()
