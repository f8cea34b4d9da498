"""The disk that forgets, as the yard holds it: mounted, stopped, cut, looked at."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

from faults.forgetful_store import Store


def cannot_mount(folder: Path) -> str | None:
    """Why there can be no such disk here; None: it was tried, and there can."""
    if not os.access("/dev/fuse", os.R_OK | os.W_OK):
        return "/dev/fuse is absent or not ours to use"
    try:
        import mfusepy
    except (ImportError, OSError) as error:  # OSError: no libfuse
        return f"mfusepy cannot be loaded: {error}"
    if mfusepy.fuse_version_major != 2:
        return "libfuse 2 is absent"
    disk = Disk(folder)
    try:
        disk.start()
    except (AssertionError, OSError) as error:
        disk.end()
        return f"FUSE cannot be mounted here: {error}"
    disk.cut("vanish", 0)
    return None


class Disk:
    """Mounted at ``mount_point`` between `start` and `cut`."""

    def __init__(self, folder: Path, lies: int = 0) -> None:
        self.platter, self.mount_point = folder / "platter", folder / "mount"
        self.platter.mkdir(parents=True)
        self.mount_point.mkdir()
        self._lies = lies
        self._process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        command = [sys.executable, "-m", "faults.forgetful_mount", str(self.platter), str(self.mount_point)]
        environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
        self._process = subprocess.Popen(
            [*command, "--lies", str(self._lies)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
        )
        deadline = time.monotonic() + 20
        while not self.mount_point.is_mount():
            assert self._process.poll() is None, f"the file system ended with {self._process.returncode}"
            assert time.monotonic() < deadline, "the file system is not there"
            time.sleep(0.01)

    def arm(self, after_changes: int) -> None:
        """The power goes when so many more changes are done. Who wants one more waits for `release`."""
        self._say(f"arm {after_changes}")

    def gone(self) -> bool:
        """Whether `arm` has taken the power."""
        return self._say("gone").strip() == "1"

    def freeze(self, patience_s: float = 0.0) -> int:
        """The power is gone once `arm` says so, or ``patience_s`` is over. Returns how many changes are unsynced."""
        return int(self._say(f"freeze {patience_s}"))

    def release(self) -> None:
        """Answer with an error who waits for a change."""
        self._say("release")

    def cut(self, mode: str, seed: int) -> None:
        """All that is left is on the platter, and nothing is mounted."""
        assert self._process is not None
        self._say(f"cut {mode} {seed}")
        self.end()

    def end(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            for pipe in (self._process.stdin, self._process.stdout):
                with contextlib.suppress(OSError):
                    pipe.close()  # type: ignore[union-attr]
            self._process = None
            unmount = ["umount", "-l"] if os.geteuid() == 0 else ["fusermount", "-u", "-z"]
            subprocess.run([*unmount, str(self.mount_point)], check=False, capture_output=True)

    def check_out(self, folder: Path) -> None:
        """A plain copy of what the platter has."""
        shutil.rmtree(folder, ignore_errors=True)
        Store.load(self.platter).check_out(folder)

    def _say(self, command: str) -> str:
        process = self._process
        assert process is not None
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(command + "\n")
        process.stdin.flush()
        answer = process.stdout.readline()
        assert answer, "the file system is gone"
        return answer
