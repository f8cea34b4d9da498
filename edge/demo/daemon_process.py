"""Daemon process of the demo: the real ``edge-cli run``, started, waited for and stopped."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

from edge.broker.embedded_broker import DIE_WITH_PARENT
from edge.contracts.errors import DeviceError, SourceError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path
    from types import TracebackType

STOP_S = 8.0
"""For an orderly end after SIGTERM."""

NOT_ALL_JUDGED = "not everything was judged"
"""What the daemon says at the end if a file or frame got no result; that is no failure of the demo."""

DEMO_SETTINGS = {"EDGE_PUBLISH__HEALTH_EVERY_S": "1", "EDGE_TRACKING__UPDATE_EVERY_S": "1"}
"""A demo of seconds shall show what else comes every few seconds."""


class DemoDaemon:
    """Process of ``edge-cli run`` with arguments; stopped at the end of the ``with`` block, whatever happens in it."""

    def __init__(self, args: Sequence[str], log_path: Path) -> None:
        """Start it. The user's own ``EDGE_…`` settings stay out of it; its log goes to ``log_path``."""
        environ = {key: value for key, value in os.environ.items() if not key.startswith("EDGE_")}
        environ.update(DEMO_SETTINGS)
        self._log_path = log_path
        with log_path.open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-c", DIE_WITH_PARENT, sys.executable, "-m", "edge.cli.main", "run", *args],
                env=environ,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C is for the demo, which then stops it in order
            )

    def finish(self, deadline: float) -> None:
        """Wait until the daemon has ended by itself.

        Args:
            deadline: on the monotonic clock, in seconds.

        Raises:
            DeviceError: it still runs then, or ended with an error; its own words are in the message.
        """
        try:
            code = self._process.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            raise DeviceError(
                "the daemon was not through in time", hint=f"give --seconds more; its log is {self._log_path}"
            ) from None
        if code == SourceError.exit_code and self._last_error(code).startswith(NOT_ALL_JUDGED):
            return  # the page shows what got no result, and why
        if code != 0:
            raise DeviceError(f"the daemon failed: {self._last_error(code)}", hint=f"its log is {self._log_path}")

    def require_running(self) -> None:
        """Require that the daemon runs. Raises `DeviceError` with its own words if it has ended."""
        code = self._process.poll()
        if code is not None:
            raise DeviceError(f"the daemon ended: {self._last_error(code)}", hint=f"its log is {self._log_path}")

    def __enter__(self) -> DemoDaemon:
        """Return this object; the daemon runs already."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop the daemon with SIGTERM, then SIGKILL if need be. Its children go with it."""
        if self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(STOP_S)
            except subprocess.TimeoutExpired:
                os.killpg(self._process.pid, signal.SIGKILL)
                with contextlib.suppress(subprocess.TimeoutExpired):  # one that cannot be killed is not waited for
                    self._process.wait(STOP_S)

    def _last_error(self, code: int) -> str:
        lines = self._log_path.read_text(errors="replace").splitlines()
        errors = [line.removeprefix("error: ") for line in lines if line.startswith("error: ")]
        return errors[-1] if errors else f"exit code {code}"
