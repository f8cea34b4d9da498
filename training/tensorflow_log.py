"""TensorFlow's own log of a training run: kept in a file, off the terminal, where progress and results are read."""

from __future__ import annotations

import logging
import os
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

FILE = "tensorflow.log"


def log_tensorflow_into(run: Path) -> None:
    """Send what TensorFlow writes, natively and in Python, to ``tensorflow.log`` in a run's folder, until we end.

    Our own lines, progress bars and errors stay on stderr, which is another descriptor from then on. To be called
    before TensorFlow is imported.
    """
    run.mkdir(parents=True, exist_ok=True)
    sys.stderr.flush()
    sys.stderr = os.fdopen(os.dup(2), "w", buffering=1, encoding=sys.stderr.encoding, errors=sys.stderr.errors)
    log = os.open(run / FILE, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    os.dup2(log, 2)
    os.close(log)
    logger = logging.getLogger("tensorflow")
    import tensorflow as tf  # makes a handler of its own, for stderr

    tf.get_logger()
    for handler in list(logger.handlers):
        logger.removeHandler(handler)
    logger.addHandler(logging.FileHandler(run / FILE, encoding="utf-8"))
    logger.propagate = False
