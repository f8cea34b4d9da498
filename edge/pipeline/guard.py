"""Stands between the analyser and the runtime: keeps the time limit, replaces what hung or died, tests before trust."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Any

from edge.contracts.errors import EdgeError, ModelError
from edge.contracts.results import Reason

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

    from edge.contracts.ports import Runtime
    from edge.contracts.tensors import RuntimeSpec, Tensor

log = logging.getLogger(__name__)

RETRY_S = (0.0, 0.5, 2.0, 10.0, 30.0)
"""Pauses before the 1st, 2nd, … attempt to replace a runtime, in seconds; the last repeats."""


class Guard:
    """One runtime, always either trusted or absent."""

    def __init__(self, make: Callable[[], Runtime], test: Callable[[Runtime], object], timeout_s: float) -> None:
        """Make and test the first runtime.

        Args:
            make: a runtime with the model loaded.
            test: raises `ModelError` if the runtime may not be trusted.
            timeout_s: for one frame.

        Raises:
            EdgeError: whatever ``make`` or ``test`` raised: at the start, it is the user's to mend.
        """
        self._make, self._test, self._timeout_s = make, test, timeout_s
        self._failures = 0
        self._retry_at = 0.0
        self._down_reason = Reason.RUNTIME_LOST
        self._runtime: Runtime | None = self._fresh()
        self.spec: RuntimeSpec = self._runtime.spec
        self.restarts = 0

    @property
    def problems(self) -> list[str]:
        """For `state`: empty while a trusted runtime is there."""
        return [] if self._runtime is not None else [self._down_reason.value]

    @property
    def runtime(self) -> Runtime | None:
        """The trusted runtime; None while there is none."""
        return self._runtime

    def submit(self, tensor: Tensor) -> Reason | None:
        """Start on ``tensor``; else the reason why it cannot be computed."""
        if self._runtime is None and not self._replace():
            return self._down_reason
        try:
            assert self._runtime is not None  # noqa: S101  (just replaced)
            self._runtime.submit(tensor)
        except EdgeError as error:
            return self._drop(Reason.RUNTIME_LOST, error.message)
        return None

    def wait(self) -> Mapping[str, NDArray[Any]] | Reason:
        """Outputs of what was submitted; else the reason why there are none, and a replacement is on its way."""
        if self._runtime is None:
            return self._down_reason
        try:
            outputs = self._runtime.wait(self._timeout_s)
        except EdgeError as error:
            return self._drop(Reason.RUNTIME_LOST, error.message)
        if outputs is None:
            return self._drop(Reason.RUNTIME_HUNG, f"no answer within {self._timeout_s} s")
        self._failures = 0
        return outputs

    def close(self) -> None:
        """Let go of the runtime."""
        if self._runtime is not None:
            self._runtime.close()
            self._runtime = None

    def _fresh(self) -> Runtime:
        runtime = self._make()
        try:
            self._test(runtime)
        except BaseException:
            runtime.close()
            raise
        return runtime

    def _drop(self, reason: Reason, why: str) -> Reason:
        log.error("runtime: %s; it is replaced", why)
        self.close()
        self._down_reason = reason
        self._retry_at = time.monotonic() + RETRY_S[min(self._failures, len(RETRY_S) - 1)]
        self._failures += 1
        return reason

    def _replace(self) -> bool:
        if time.monotonic() < self._retry_at:
            return False
        try:
            self._runtime = self._fresh()
        except (EdgeError, OSError) as error:  # OSError: no process or descriptor to be had just now
            self._drop(Reason.SELF_TEST_FAILED if isinstance(error, ModelError) else Reason.RUNTIME_LOST, str(error))
            return False
        self.spec = self._runtime.spec
        self.restarts += 1
        log.warning("runtime: replaced")
        return True
