"""Runtime candidate: a runtime that is loaded and tested in a thread of its own, while the loop goes on."""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING

from edge.contracts.errors import DeviceError, EdgeError

if TYPE_CHECKING:
    from collections.abc import Callable

    from edge.contracts.ports import Runtime

log = logging.getLogger(__name__)


def make_tested_runtime(make: Callable[[], Runtime], test: Callable[[Runtime], object]) -> Runtime:
    """Make a runtime that passes ``test``. Raises what ``make`` or ``test`` raises; nothing stays open then."""
    runtime = make()
    try:
        test(runtime)
    except BaseException:
        runtime.close()
        raise
    return runtime


class RuntimeCandidate:
    """One attempt to make a runtime. Loading may take long, or hang: the caller says how long it waits, or gives up."""

    def __init__(self, place: int, make: Callable[[], Runtime], test: Callable[[Runtime], object]) -> None:
        """Start the attempt. ``place`` is remembered for the caller."""
        self.place = place
        self._make, self._test = make, test
        self._lock = threading.Lock()
        self._given_up = False
        self._done = threading.Event()
        self._outcome: Runtime | EdgeError | None = None
        threading.Thread(target=self._run, name="runtime-candidate", daemon=True).start()

    def done(self, timeout_s: float | None) -> bool:
        """Whether the attempt has ended, in success or failure, within ``timeout_s``; None: wait until it has."""
        return self._done.wait(timeout_s)

    def take(self) -> Runtime:
        """Return the tested runtime, once `done`; the caller closes it. Raises `EdgeError` if there is none."""
        assert self._outcome is not None  # noqa: S101  (done)
        if isinstance(self._outcome, EdgeError):
            raise self._outcome
        return self._outcome

    def give_up(self) -> None:
        """Give the attempt up: its runtime is closed as soon as it can be."""
        with self._lock:
            self._given_up = True
            outcome = self._outcome
        if outcome is not None and not isinstance(outcome, EdgeError):
            outcome.close()

    def _run(self) -> None:
        outcome: Runtime | EdgeError
        try:
            outcome = make_tested_runtime(self._make, self._test)
        except EdgeError as error:
            outcome = error
        except Exception as error:  # no memory, no processes left: the next attempt may have more luck
            log.exception("making a runtime failed")
            outcome = DeviceError(f"making a runtime failed: {error}", hint="it is tried again")
        with self._lock:
            self._outcome = outcome
            unwanted = self._given_up
        if unwanted and not isinstance(outcome, EdgeError):
            outcome.close()
        self._done.set()
