"""TensorBoard of a classifier's run: curves of training and validation, confusion matrix, sample pictures."""

from __future__ import annotations

import importlib.util
from typing import TYPE_CHECKING, Any, Protocol

import cv2
import numpy as np
import tensorflow as tf

from edge.contracts.errors import UsageError
from training.classify.metrics import confusion

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

FOLDER = "tensorboard"
SAMPLES = 16
"""Sample pictures, as the network is shown them."""
SIDE = 40
"""Pixels of one cell of the confusion matrix."""
LEAST = 1e-7
"""Smallest probability whose logarithm is taken."""


class Board(Protocol):
    """What the training loop tells of itself."""

    def samples(self, tensors: NDArray[np.uint8]) -> None:
        """Show training pictures (n, h, w, channels)."""

    def epoch(self, epoch: int, loss: float, scores: NDArray[np.floating], labels: NDArray[np.int64]) -> None:
        """Show the mean training loss of an epoch, and validation: scores (n, k) and labels (n,)."""

    def masks(self, epoch: int, loss: float, dice: float) -> None:
        """Show the mean training loss of an epoch of a segmentation, and the mean Dice of validation."""


class NoBoard:
    """Board that shows nothing, for runs without TensorBoard."""

    def samples(self, tensors: NDArray[np.uint8]) -> None:
        """Show no training pictures."""

    def epoch(self, epoch: int, loss: float, scores: NDArray[np.floating], labels: NDArray[np.int64]) -> None:
        """Show nothing of an epoch."""

    def masks(self, epoch: int, loss: float, dice: float) -> None:
        """Show nothing of an epoch of a segmentation."""


class TensorBoard:
    """Board that writes ``OUT/tensorboard/train`` and ``…/validation``, whose curves lie in one plot."""

    def __init__(self, out: Path) -> None:
        """Raises UsageError where the package tensorboard is missing."""
        if importlib.util.find_spec("tensorboard") is None:
            raise UsageError("--tensorboard wants the package tensorboard", hint="pip install '.[tensorboard]'")
        self._train, self._validation = (
            tf.summary.create_file_writer(str(out / FOLDER / name)) for name in ("train", "validation")
        )

    def samples(self, tensors: NDArray[np.uint8]) -> None:
        """Write training pictures (n, h, w, channels), once."""
        with self._train.as_default():
            tf.summary.image("samples", tensors[:SAMPLES], step=0, max_outputs=SAMPLES)
        self._train.flush()

    def epoch(self, epoch: int, loss: float, scores: NDArray[np.floating], labels: NDArray[np.int64]) -> None:
        """Write the curves of an epoch, and the confusion matrix of validation."""
        called = scores.argmax(axis=1)
        with self._train.as_default():
            tf.summary.scalar("loss", loss, step=epoch)
        with self._validation.as_default():
            tf.summary.scalar("loss", class_loss(scores, labels), step=epoch)
            tf.summary.scalar("accuracy", float((called == labels).mean()), step=epoch)
            table = confusion(labels, called, scores.shape[1])
            tf.summary.image("confusion (rows: truth)", draw_confusion(table.tolist())[None], step=epoch)
        self._train.flush()
        self._validation.flush()

    def masks(self, epoch: int, loss: float, dice: float) -> None:
        """Write the curves of an epoch of a segmentation."""
        with self._train.as_default():
            tf.summary.scalar("loss", loss, step=epoch)
        with self._validation.as_default():
            tf.summary.scalar("dice", dice, step=epoch)
        self._train.flush()
        self._validation.flush()


def make_board(out: Path, wanted: bool) -> Board:
    """Make the board, if it is wanted. Raises UsageError as `TensorBoard`."""
    return TensorBoard(out) if wanted else NoBoard()


def class_loss(scores: NDArray[np.floating], labels: NDArray[np.int64]) -> float:
    """Mean cross-entropy of the classes: probabilities (n, k), labels (n,)."""
    return float(-np.log(np.maximum(scores[np.arange(len(labels)), labels], LEAST)).mean())


def draw_confusion(table: Sequence[Sequence[int]]) -> NDArray[np.uint8]:
    """Picture (k * SIDE, k * SIDE, 3) of a confusion matrix: the darker, the larger the share of the row."""
    counts = np.array(table, np.float64)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    grey = (255 - 200 * shares).astype(np.uint8).repeat(SIDE, 0).repeat(SIDE, 1)
    picture: NDArray[Any] = np.repeat(grey[..., None], 3, axis=2)
    for row, cells in enumerate(table):
        for column, count in enumerate(cells):
            if count:
                place = (column * SIDE + 4, row * SIDE + SIDE // 2 + 5)
                white = shares[row, column] > 0.5
                cv2.putText(
                    picture, str(count), place, cv2.FONT_HERSHEY_SIMPLEX, 0.4, (255,) * 3 if white else (0,) * 3
                )
    return picture
