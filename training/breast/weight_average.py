"""Exponential moving average of the trained weights (Polyak averaging), which a breast run validates and keeps."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import tensorflow as tf

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


class WeightAverage:
    """Exponential moving average of variables: it generalises better than where the last step happened to end."""

    def __init__(self, variables: Sequence[Any], decay: float) -> None:
        self.variables, self.decay, self.steps = list(variables), decay, 0
        self.values = [tf.Variable(v) for v in self.variables]

        def move(decay: Any) -> None:
            for value, variable in zip(self.values, self.variables, strict=True):
                value.assign(decay * value + (1 - decay) * variable)

        self._move = tf.function(move)

    def update(self) -> None:
        """Update the average after a training step; early on it is shorter, or it would remember the beginning."""
        self.steps += 1
        self._move(tf.constant(min(self.decay, self.steps / (self.steps + 10.0)), tf.float32))

    @contextmanager
    def temporarily_applied(self) -> Iterator[None]:
        """Context in which the variables hold the average; afterwards they hold their own values again."""
        now = [v.numpy() for v in self.variables]
        self.apply()
        try:
            yield
        finally:
            for variable, value in zip(self.variables, now, strict=True):
                variable.assign(value)

    def apply(self) -> None:
        """Write the average into the variables, for good."""
        for variable, value in zip(self.variables, self.values, strict=True):
            variable.assign(value)
