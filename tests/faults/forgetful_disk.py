"""Simulated disk for power cuts: mounts a FUSE file system that loses what was not synced."""

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
    """Why a FUSE disk cannot be mounted here; None: it was tried, and it can."""
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
        disk.unmount()
        return f"FUSE cannot be mounted here: {error}"
    disk.cut("vanish", 0)
    return None


class Disk:
    """A simulated disk, mounted at ``mount_point`` between `start` and `cut`."""

    def __init__(self, folder: Path, lies: int = 0) -> None:
        self.platter, self.mount_point = folder / "platter", folder / "mount"
        self.platter.mkdir(parents=True)
        self.mount_point.mkdir()
        self._lies = lies
        self._process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        """Start the FUSE process and wait until the disk is mounted."""
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
        """Cut the power when so many more changes are done. A call that wants one more waits for `release`."""
        self._send_command(f"arm {after_changes}")

    def power_is_gone(self) -> bool:
        """Whether the power is gone, because of `arm`."""
        return self._send_command("gone").strip() == "1"

    def freeze(self, patience_s: float = 0.0) -> int:
        """Wait until `arm` cuts the power, or cut it after ``patience_s``. Returns how many changes are unsynced."""
        return int(self._send_command(f"freeze {patience_s}"))

    def release(self) -> None:
        """Answer all calls that wait for a change with an error."""
        self._send_command("release")

    def cut(self, mode: str, seed: int) -> None:
        """Drop what was not synced (as ``mode`` has it), save the rest to the platter folder, and unmount."""
        assert self._process is not None
        self._send_command(f"cut {mode} {seed}")
        self.unmount()

    def unmount(self) -> None:
        """Kill the FUSE process and unmount the disk. May be called again."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            for pipe in (self._process.stdin, self._process.stdout):
                with contextlib.suppress(OSError):
                    pipe.close()  # type: ignore[union-attr]
            self._process = None
            unmount = ["umount", "-l"] if os.geteuid() == 0 else ["fusermount", "-u", "-z"]
            subprocess.run([*unmount, str(self.mount_point)], check=False, capture_output=True)

    def export_files(self, folder: Path) -> None:
        """Write what the disk has kept as plain files into ``folder``."""
        shutil.rmtree(folder, ignore_errors=True)
        Store.load(self.platter).export_files(folder)

    def _send_command(self, command: str) -> str:
        process = self._process
        assert process is not None
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(command + "\n")
        process.stdin.flush()
        answer = process.stdout.readline()
        assert answer, "the file system is gone"
        return answer
