"""Exponential moving average of the trained weights (Polyak averaging), which a breast run validates and keeps."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import tensorflow as tf

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


class Average:
    """An exponential moving average of variables: it generalises better than where the last step happened to end."""

    def __init__(self, variables: Sequence[Any], decay: float) -> None:
        self.variables, self.decay, self.steps = list(variables), decay, 0
        self.values = [tf.Variable(v) for v in self.variables]

        def move(decay: Any) -> None:
            for value, variable in zip(self.values, self.variables, strict=True):
                value.assign(decay * value + (1 - decay) * variable)

        self._move = tf.function(move)

    def follow(self) -> None:
        """After a step. Early on the average is shorter, or it would remember the beginning."""
        self.steps += 1
        self._move(tf.constant(min(self.decay, self.steps / (self.steps + 10.0)), tf.float32))

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """The variables hold the average for a while."""
        now = [v.numpy() for v in self.variables]
        self.settle()
        try:
            yield
        finally:
            for variable, value in zip(self.variables, now, strict=True):
                variable.assign(value)

    def settle(self) -> None:
        """The variables hold the average from now on."""
        for variable, value in zip(self.variables, self.values, strict=True):
            variable.assign(value)
