"""Worker process of a peer, seen from the benchmark: started, given requests, asked how many cores it used."""

from __future__ import annotations

import contextlib
import json
import os
import select
import subprocess
import time
from pathlib import Path
from typing import Any

import psutil

from peer_runners.peer import CannotRunError

BENCHMARKS = Path(__file__).parents[1]
START_S = 300.0
"""A cold import of a large library on a small device."""
SLACK_S = 60.0
"""Beyond the time that it was told to work."""


class PeerWorker:
    """Worker process of one peer; a context manager that ends it."""

    def __init__(self, name: str, python: Path, arguments: list[str], folder: Path) -> None:
        """Start it and wait for its first line. It runs on the cores that this process may run on.

        Args:
            name: see `peer_runners.worker.PEERS`.
            python: of the environment that has its library.
            arguments: what `peer_runners.worker` wants besides the name.
            folder: where its log goes; also its working directory.

        Raises:
            CannotRunError: it is not to be had here, or does not start.
        """
        self.name = name
        if not python.is_file():
            raise CannotRunError(f"there is no {python.parent.parent.name}; make peers sets it up")
        # Not from the working directory: where sonoedge is measured, the installed one is meant and not the tree.
        environment = {**os.environ, "PYTHONPATH": str(BENCHMARKS), "PYTHONSAFEPATH": "1", "GLOG_minloglevel": "2"}
        self._log = folder / f"{name}.log"
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [str(python), "-m", "peer_runners.worker", name, *arguments],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                cwd=folder,
                env=environment,
            )
        try:
            self.greeting = self._answer(START_S)
            if "cannot" in self.greeting:
                raise CannotRunError(self.greeting["cannot"])
        except BaseException:
            self.close()
            raise

    def request(self, order: dict[str, Any]) -> dict[str, Any]:
        """Return its answer to ``order``; with ``cores``: how many it kept busy meanwhile, all its processes together.

        Raises `CannotRunError` if it failed or has gone.
        """
        assert self._process.stdin is not None
        before, began = self._cpu_s(), time.monotonic()
        try:
            self._process.stdin.write(json.dumps(order).encode() + b"\n")
            self._process.stdin.flush()
        except OSError:
            raise CannotRunError(f"it has ended: {self._last_log_line()}") from None
        answer = self._answer(order["seconds"] + SLACK_S)
        if "failed" in answer:
            raise CannotRunError(answer["failed"])
        answer["cores"] = (self._cpu_s() - before) / (time.monotonic() - began)
        return answer

    def close(self) -> None:
        """End the worker, in order if it can."""
        if self._process.stdin is not None:
            with contextlib.suppress(OSError):
                self._process.stdin.close()
        try:
            self._process.wait(15)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()

    def __enter__(self) -> PeerWorker:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def _answer(self, timeout_s: float) -> dict[str, Any]:
        assert self._process.stdout is not None
        readable, _, _ = select.select([self._process.stdout], [], [], timeout_s)
        line = self._process.stdout.readline() if readable else b""
        if not line:
            why = "it does not answer" if not readable else "it has ended"
            raise CannotRunError(f"{why}: {self._last_log_line()}")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def _last_log_line(self) -> str:
        lines = self._log.read_text(errors="replace").strip().splitlines()
        return lines[-1].strip() if lines else "without a word"

    def _cpu_s(self) -> float:
        """User and system time of all its processes."""
        total = 0.0
        with contextlib.suppress(psutil.Error):
            root = psutil.Process(self._process.pid)
            for process in [root, *root.children(recursive=True)]:
                with contextlib.suppress(psutil.Error):
                    times = process.cpu_times()
                    total += times.user + times.system
        return total
