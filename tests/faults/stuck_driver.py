"""Stuck driver: a file that does not answer, so that whoever reads it cannot be killed (state D)."""

from __future__ import annotations

import os
import select
import subprocess
import sys
import time
from pathlib import Path

FILE = "driver"


class StuckDriver:
    """The file ``path`` on a FUSE file system of its own. Use it in ``with``: at the end its readers are released."""

    def __init__(self, folder: Path) -> None:
        """Mount it below ``folder``. Raises AssertionError or OSError if that cannot be done here."""
        self._mount_point = folder / "stuck"
        self._mount_point.mkdir()
        self._waiting = 0
        """Reads that had to wait, and that `wait_for_reader` has not told of."""
        self.path = self._mount_point / FILE
        self._process = subprocess.Popen(
            [sys.executable, "-m", "faults.stuck_mount", str(self._mount_point)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            bufsize=0,  # `select` sees no line that lies in a buffer
            env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])},
        )
        try:
            deadline = time.monotonic() + 20
            while not self._mount_point.is_mount():
                assert self._process.poll() is None, f"the file system ended with {self._process.returncode}"
                assert time.monotonic() < deadline, "the file system is not there"
                time.sleep(0.01)
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> StuckDriver:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def release(self) -> None:
        """Answer all reads, those that wait and those to come."""
        self._send_command("release")

    def stick(self) -> None:
        """Answer no read any more, as it is at the beginning."""
        self._send_command("stick")

    def wait_for_reader(self, timeout_s: float = 20.0) -> bool:
        """Wait for the next read that has to wait; whether one has come within ``timeout_s``."""
        if not self._waiting:
            self._read_lines(timeout_s, "reading")
        came, self._waiting = self._waiting > 0, max(0, self._waiting - 1)
        return came

    def _send_command(self, command: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(f"{command}\n".encode())
        self._process.stdin.flush()
        assert self._read_lines(20.0, "done"), "the file system does not answer"

    def _read_lines(self, timeout_s: float, until: str) -> bool:
        """Read lines until ``until`` comes; False if it does not within ``timeout_s``. Counts the reads that wait."""
        assert self._process.stdout is not None
        deadline = time.monotonic() + timeout_s
        while select.select([self._process.stdout], [], [], max(0.0, deadline - time.monotonic()))[0]:
            line = self._process.stdout.readline().decode().strip()
            self._waiting += line == "reading"
            if line in (until, ""):
                return line == until
        return False

    def close(self) -> None:
        """End the file system: all reads fail, and who waited for one goes. May be called again."""
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()
        unmount = ["umount", "-l"] if os.geteuid() == 0 else ["fusermount", "-u", "-z"]
        subprocess.run([*unmount, str(self._mount_point)], check=False, capture_output=True)


def state_of(pid: int) -> str:
    """State of a process, as ``ps`` shows it (R, S, D, Z); of its threads the one that has not ended. Empty: gone."""
    try:
        tasks = list(Path(f"/proc/{pid}/task").iterdir())
        states = [(task / "stat").read_text().rpartition(")")[2].split()[0] for task in tasks]
    except OSError:  # one that ended meanwhile, and perhaps all
        return state_of(pid) if Path(f"/proc/{pid}").exists() else ""
    return next((state for state in states if state not in "ZX"), "Z")


def why_not(folder: Path) -> str | None:
    """Why no process can be made unkillable here; None: it was tried, and one was in state D after SIGKILL."""
    if not os.access("/dev/fuse", os.R_OK | os.W_OK):
        return "/dev/fuse is absent or not ours to use"
    try:
        import mfusepy  # noqa: F401
    except (ImportError, OSError) as error:  # OSError: no libfuse
        return f"mfusepy cannot be loaded: {error}"
    try:
        driver = StuckDriver(folder)
    except (AssertionError, OSError) as error:
        return f"FUSE cannot be mounted here: {error}"
    with driver:
        reader = subprocess.Popen(["cat", str(driver.path)], stdout=subprocess.DEVNULL)
        driver.wait_for_reader()
        reader.kill()
        deadline = time.monotonic() + 5
        while (state := state_of(reader.pid)) in ("S", "R") and time.monotonic() < deadline:
            time.sleep(0.01)
    reader.wait()
    return None if state == "D" else "a reader of a FUSE file can be killed here"
