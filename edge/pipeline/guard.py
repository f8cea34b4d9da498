"""Runtime guard with fall-back: keeps the time limit, replaces a runtime that hung or died, tests it before use.

There may be several to choose from: the configured one, then fall-backs. The next in line is kept ready, loaded and
tested, so that a runtime that hangs costs its time limit and no more. While a fall-back computes, the configured one is
tried again now and then, beside the work, and takes over once it has passed its test. The loop never waits longer than
`REPLACEMENT_WAIT_S` for any of this: then the frame is `no_result`. What failed is noted (`RuntimeHistory`): the next
frame process of this run begins with another.
"""

from __future__ import annotations

import contextlib
import logging
import time
from typing import TYPE_CHECKING, Any

from edge.contracts.errors import DeviceError, EdgeError, ModelError
from edge.contracts.finding import RuntimeRef
from edge.contracts.results import Reason
from edge.pipeline.runtime_candidate import RuntimeCandidate, make_tested_runtime
from edge.pipeline.runtime_history import RuntimeFailure, RuntimeHistory

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

    from edge.contracts.ports import Runtime
    from edge.contracts.tensors import RuntimeSpec, Tensor

log = logging.getLogger(__name__)

RETRY_S = (0.0, 0.5, 2.0, 10.0, 30.0)
"""Pauses before the 1st, 2nd, … round through all runtimes, in seconds; the last repeats."""
REPLACEMENT_WAIT_S = 2.0
"""Longest wait of a frame for a replacement that is being made."""
START_WAIT_S = 10.0
"""At the start, the next in line is tried beside a runtime that has not been made and tested by then."""
STEADY_S = 5.0
"""After a runtime has computed for so long, its earlier failures count no more."""
MOST_PROBE_PAUSES = 32
"""A configured runtime that keeps failing is tried again ever more rarely: at least every so many ``probe_s``."""
FALLBACK = "runtime_fallback"
"""Why a daemon on a fall-back is degraded."""


class RuntimeGuard:
    """Gives the analyser one runtime that is always either tested or absent, and replaces it when it fails."""

    spec: RuntimeSpec
    """Of the present runtime, or of the last one."""
    ref: RuntimeRef
    """The same, as findings name it."""

    def __init__(
        self,
        makers: Sequence[Callable[[], Runtime]],
        test: Callable[[Runtime], object],
        timeout_s: float,
        probe_s: float = 30.0,
        history: RuntimeHistory | None = None,
    ) -> None:
        """Make and test the first runtime that can be had.

        Args:
            makers: each makes a runtime with the model loaded: the configured one first, then the fall-backs in order.
            test: raises `ModelError` if the runtime may not be trusted.
            timeout_s: for one frame.
            probe_s: while a fall-back computes, the configured runtime is tried this often.
            history: what failed before, in another process of the same run; None: nothing is known.

        Raises:
            EdgeError: what the configured runtime raised, if no fall-back could be had either: at the start, it is for
                the user to mend.
        """
        self._makers, self._test, self._timeout_s, self._probe_s = list(makers), test, timeout_s, probe_s
        self._history = history or RuntimeHistory(())
        self._place = 0
        self._candidate: RuntimeCandidate | None = None
        self._spare: RuntimeCandidate | None = None
        """The next in line, loaded and tested."""
        self._failures = 0
        self._retry_at = self._probe_at = self._since = 0.0
        self._probe_pause_s = probe_s
        self._down_reason = Reason.RUNTIME_LOST
        self._runtime: Runtime | None = None
        self._next_submitted = False
        """The next tensor is with the runtime already."""
        self.restarts = 0
        self._adopt(*self._first())

    @property
    def problems(self) -> list[str]:
        """Reasons for a degraded `state`; empty while the configured runtime is there and tested."""
        if self._runtime is None:
            return [self._down_reason.value]
        return [FALLBACK] if self._place else []

    @property
    def runtime(self) -> Runtime | None:
        """The tested runtime; None while there is none."""
        return self._runtime

    def submit_next(self, tensor: Tensor) -> None:
        """Submit the next tensor early, while the one before is computed, if the runtime has a second input slot.

        `submit` must be called with it in any case, after `wait`: if the runtime was lost meanwhile, it is computed by
        the next one. A fall-back gets one at a time: the configured runtime may take over between any two.
        """
        if self._runtime is None or self._place or self.spec.takes < 2:
            return
        with contextlib.suppress(EdgeError):  # `wait` will say so, of the tensor before
            self._runtime.submit(tensor)
            self._next_submitted = True

    def submit(self, tensor: Tensor) -> Reason | None:
        """Start computing ``tensor``; None if started, else the reason why it cannot be computed."""
        if self._next_submitted:
            self._next_submitted = False
            return None
        self._take_replacement()
        if self._runtime is None:
            return self._down_reason
        try:
            self._runtime.submit(tensor)
        except EdgeError as error:
            return self._drop(Reason.RUNTIME_LOST, error.message)
        return None

    def wait(self) -> Mapping[str, NDArray[Any]] | Reason:
        """Raw outputs, as of `Runtime.wait`; else the reason why there are none, and a replacement is on its way."""
        if self._runtime is None:
            return self._down_reason
        try:
            outputs = self._runtime.wait(self._timeout_s)
        except EdgeError as error:
            return self._drop(Reason.RUNTIME_LOST, error.message)
        if outputs is None:
            return self._drop(Reason.RUNTIME_HUNG, f"no answer within {self._timeout_s} s")
        if self._failures and time.monotonic() - self._since > STEADY_S:
            self._failures = 0
        return outputs

    def close(self) -> None:
        """Close the runtime, and every one that is being made or stands by."""
        self._close_runtime()
        for candidate in (self._candidate, self._spare):
            if candidate is not None:
                candidate.give_up()
        self._candidate = self._spare = None

    def _first(self) -> tuple[Runtime, int]:
        """The first runtime to be had, and its place: as in the settings, those that have failed before last."""
        if len(self._makers) == 1:
            self._history.use(0)
            return make_tested_runtime(self._makers[0], self._test), 0
        slow: list[RuntimeCandidate] = []
        try:
            runtime, place = self._first_of_several(slow)
        except BaseException:
            for candidate in slow:
                candidate.give_up()
            raise
        for candidate in slow:
            if candidate.place == 0 and place:  # it may yet take over
                self._candidate = candidate
            elif candidate.place != place:
                candidate.give_up()
        return runtime, place

    def _first_of_several(self, slow: list[RuntimeCandidate]) -> tuple[Runtime, int]:
        """The same; candidates not ready within `START_WAIT_S` are added to ``slow``, and waited for at the end."""
        order, errors = self._history.order(len(self._makers)), dict[int, EdgeError]()
        for place in order:
            self._history.use(place)
            candidate = RuntimeCandidate(place, self._makers[place], self._test)
            if not candidate.done(START_WAIT_S if slow or place != order[-1] else None):
                slow.append(candidate)
                self._start_failed(place, f"not ready within {START_WAIT_S:.0f} s")
            elif (runtime := self._take(candidate, errors)) is not None:
                return runtime, place
        for candidate in slow:
            candidate.done(None)
            if (runtime := self._take(candidate, errors)) is not None:
                return runtime, candidate.place
        raise errors[min(errors)]

    def _take(self, candidate: RuntimeCandidate, errors: dict[int, EdgeError]) -> Runtime | None:
        """The runtime of a candidate that is done; None if there is none: its error is added to ``errors``."""
        try:
            return candidate.take()
        except (ModelError, DeviceError) as error:
            errors[candidate.place] = error
            self._start_failed(candidate.place, error.message)
            return None

    def _start_failed(self, place: int, why: str) -> None:
        log.error("runtime %d of %d: %s", place + 1, len(self._makers), why)
        self._note_failure(place, why)

    def _note_failure(self, place: int, why: str) -> None:
        pause_s = self._probe_pause_s
        self._history.note(place, RuntimeFailure(why, pause_s, time.monotonic() + pause_s))

    def _adopt(self, runtime: Runtime, place: int) -> None:
        self._runtime, self._place, self._since = runtime, place, time.monotonic()
        self.spec = runtime.spec
        self.ref = RuntimeRef(name=self.spec.name, delegate=self.spec.delegate, fallback=place > 0)
        self._history.forget(place)
        self._history.use(place)
        if place:
            log.warning("runtime: fall-back %s computes from now on", self.spec.name)
            self._probe_at = self._since + self._probe_pause_s
            if (failure := self._history.failure(0)) is not None:
                self._probe_pause_s = min(failure.pause_s, MOST_PROBE_PAUSES * self._probe_s)
                self._probe_at = min(failure.retry_at, self._since + self._probe_pause_s)
        if place + 1 < len(self._makers):
            self._spare = RuntimeCandidate(place + 1, self._makers[place + 1], self._test)

    def _close_runtime(self) -> None:
        self._next_submitted = False
        if self._runtime is not None:
            self._runtime.close()
            self._runtime = None

    def _take_replacement(self) -> None:
        """Take in a runtime that has been made, or have one made if it is time to."""
        now = time.monotonic()
        if self._candidate is None:
            if self._runtime is None and now >= self._retry_at:
                self._start_making(self._place)
            elif self._runtime is not None and self._place and now >= self._probe_at:
                self._start_making(0)
        if self._candidate is None or not self._candidate.done(REPLACEMENT_WAIT_S if self._runtime is None else 0.0):
            return
        candidate, self._candidate = self._candidate, None
        try:
            fresh = candidate.take()
        except EdgeError as error:
            self._making_failed(error)
            return
        returned = self._runtime is not None
        self.close()  # also the next in line behind a fall-back
        self._adopt(fresh, candidate.place)
        self.restarts += 1
        log.warning("runtime: %s", "the configured one is back" if returned else "replaced")

    def _start_making(self, place: int) -> None:
        self._candidate = RuntimeCandidate(place, self._makers[place], self._test)

    def _making_failed(self, error: EdgeError) -> None:
        if self._runtime is None:
            self._drop(Reason.SELF_TEST_FAILED if isinstance(error, ModelError) else Reason.RUNTIME_LOST, error.message)
            return
        self._probe_later(error.message)
        log.warning(
            "runtime: the configured one cannot return (%s); next in %.0f s", error.message, self._probe_pause_s
        )

    def _probe_later(self, why: str) -> None:
        self._probe_pause_s = min(2 * self._probe_pause_s, MOST_PROBE_PAUSES * self._probe_s)
        self._probe_at = time.monotonic() + self._probe_pause_s
        self._note_failure(0, why)

    def _drop(self, reason: Reason, why: str) -> Reason:
        log.error("runtime: %s; it is replaced", why)
        now = time.monotonic()
        if self._runtime is not None and not self._place:
            # The configured one: it may come back soon if it had been well, and not so soon if it had just returned.
            if now - self._since > STEADY_S or not self.restarts:
                self._probe_pause_s = self._probe_s
            else:
                self._probe_later(why)
        self._note_failure(self._place, why)
        spare, self._spare = self._spare, None
        self.close()  # with an attempt to bring back the configured one: what comes next is in more of a hurry
        self._down_reason = reason
        self._place = (self._place + 1) % len(self._makers)
        if self._place == 0:  # all have been tried
            self._retry_at = now + RETRY_S[min(self._failures, len(RETRY_S) - 1)]
            self._failures += 1
        if spare is not None:
            self._candidate = spare
        elif now >= self._retry_at:
            self._start_making(self._place)
        return reason
