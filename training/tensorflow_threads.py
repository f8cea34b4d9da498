"""Number of TensorFlow's threads, set before its first use; its own log goes into the run's folder."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def use_threads(count: int, out: Path) -> None:
    """Let TensorFlow use ``count`` threads, and write its log into the folder ``out``."""
    from training.tensorflow_log import log_tensorflow_into

    log_tensorflow_into(out)
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(count)
    tf.config.threading.set_inter_op_parallelism_threads(1)
