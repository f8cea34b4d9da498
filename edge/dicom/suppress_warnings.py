"""Suppresses pydicom's warnings and logs: they quote values of elements, which may be the patient's."""

from __future__ import annotations

import logging
import threading
import warnings
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

for _name in ("pydicom", "pylibjpeg", "openjpeg"):
    logging.getLogger(_name).addHandler(logging.NullHandler())
    logging.getLogger(_name).propagate = False

_one_at_a_time = threading.RLock()


@contextmanager
def suppress_pydicom_warnings() -> Iterator[None]:
    """Suppress warnings while a block runs: none is shown or raised. Use it in ``with``, or as a decorator.

    Python's warning filters belong to the whole process, so two streams take turns: else the one that leaves first
    would put the filters back under the other.
    """
    with _one_at_a_time, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
