"""What a classifier's output is: probabilities or logits, of labels that exclude each other or not.

It is told by the operators that make it, and by what it gives for pictures; where neither tells, it is asked for.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from edge.contracts.errors import ModelError, UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from edge.models.operators import Operator

PASS_ON = frozenset({"DEQUANTIZE", "QUANTIZE", "RESHAPE", "SQUEEZE", "EXPAND_DIMS", "CAST"})
"""Operators that change no value."""
CLASS_NUMBERS = frozenset({"ARG_MAX", "ARG_MIN", "TOPK_V2", "ONE_HOT"})
SUM_SLACK = 0.05
"""So far from 1 a sum of quantised probabilities may be, for each of few labels."""
OPTION = "--scores softmax, sigmoid, logits or sigmoid-logits"


@dataclass(frozen=True, slots=True)
class ScoreKind:
    """What the output is, and how that is known."""

    output: Literal["probabilities", "logits"]
    exclusive: bool
    why: str
    """For people."""


NAMED = {
    "softmax": ScoreKind("probabilities", True, "as --scores says"),
    "sigmoid": ScoreKind("probabilities", False, "as --scores says"),
    "logits": ScoreKind("logits", True, "as --scores says"),
    "sigmoid-logits": ScoreKind("logits", False, "as --scores says"),
}


def named_kind(name: str) -> ScoreKind:
    """Kind of this name, as ``--scores`` takes it. Raises `UsageError` for another name."""
    if name not in NAMED:
        raise UsageError(f"--scores {name} is not known", hint=f"give {OPTION}")
    return NAMED[name]


def detect_kind(operators: Sequence[Operator], output: int, real: NDArray[np.floating]) -> ScoreKind:
    """Kind of the output tensor ``output`` whose real values for some pictures are ``real``, (pictures, labels).

    Raises:
        ModelError: it gives numbers of classes, or what is no number.
        UsageError: nothing tells.
    """
    if not np.isfinite(real).all():
        raise ModelError("it gives NaN or infinite values", hint="train or export it anew")
    last = _maker(operators, output)
    if last in CLASS_NUMBERS:
        raise ModelError(f"it gives the number of a class ({last}), not scores", hint="export it without that operator")
    low, high, several = float(real.min()), float(real.max()), real.shape[1] > 1
    if last == "SOFTMAX":
        if not several:
            raise ModelError("its softmax has one output, which is always 1", hint="export it with all its classes")
        return ScoreKind("probabilities", True, "it ends with softmax")
    if last == "LOGISTIC":
        return ScoreKind("probabilities", False, "it ends with sigmoid")
    if last == "LOG_SOFTMAX":
        return ScoreKind("logits", True, "it ends with log-softmax")
    within = low >= 0 and high <= 1
    if within and several and (np.abs(real.sum(axis=1) - 1) <= SUM_SLACK).all():
        return ScoreKind("probabilities", True, "its outputs add up to 1")
    if low < 0:
        kind = "of labels that exclude each other" if several else "of one label"
        return ScoreKind("logits", several, f"it ends with {last}, and gives {low:.3g} to {high:.3g}: logits {kind}")
    raise UsageError(
        f"it ends with {last}, and gives {low:.3g} to {high:.3g}: neither probabilities nor plainly logits",
        hint=f"say what they are: {OPTION}",
    )


def _maker(operators: Sequence[Operator], tensor: int) -> str:
    """Kind of the operator that makes the values of ``tensor``; those that only pass them on are looked through."""
    made_by = {made: operator for operator in operators for made in operator.outputs}
    for _ in range(len(operators)):
        operator = made_by.get(tensor)
        if operator is None:
            return "nothing"
        if operator.kind not in PASS_ON or not operator.inputs:
            return operator.kind
        tensor = operator.inputs[0]
    return "nothing"
