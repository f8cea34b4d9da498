"""External program that writes raw pictures to a pipe: started without a shell, in a process group of its own.

It ends with us: when it is asked to (SIGTERM, then SIGKILL to its group), and by the kernel when we are killed.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import os
import re
import resource
import select
import shutil
import signal
import subprocess
import time
from typing import TYPE_CHECKING

from edge.contracts.errors import SourceError, SourceSetupError

if TYPE_CHECKING:
    from collections.abc import Sequence

PR_SET_PDEATHSIG = 1
STOP_S = 0.4
"""How long a program may take to end after SIGTERM."""
KILL_S = 1.0
"""How long a killed program is waited for."""
WORDS_BYTES = 4096
"""How much of what it says last is kept."""
WORDS_SHOWN = 300
PIPE_BYTES = 1 << 20
"""Size that the pipe is asked to have: a picture crosses in fewer turns."""
NO_PIPELINE = "erroneous pipeline"
"""What gst-launch says of a pipeline with a wrong word in it, or an element that is not installed."""
_CREDENTIALS = re.compile(r"(?<=://)[^\s/@]*@|((?:user|pass)[\w-]*\s*=\s*)\S+", re.IGNORECASE)
_FILES = re.compile(r"""(["'])(?!/dev/)[^"'\n]*/[^"'\n]*\1""")
"""Quoted paths, of devices excepted: a file's name may be a patient's."""


class ProgramEndedError(Exception):
    """The program has closed its pipe: it ended, or failed."""


class PictureProgram:
    """A running program whose pictures come through a pipe, and what it says on stdout and stderr."""

    def __init__(self, command: Sequence[str], *, package: str, data_fd_in: str = "") -> None:
        """Start the program.

        Args:
            command: program and arguments.
            package: what to install where the program is missing.
            data_fd_in: placeholder in the arguments that the pipe's descriptor is put in place of; empty: stdout.

        Raises:
            SourceSetupError: it is not on PATH, or cannot be started.
        """
        self.name = command[0]
        path = shutil.which(self.name)
        if path is None:
            raise SourceSetupError(f"{self.name} is not installed", hint=f"apt install {package}")
        self._said = {"out": b"", "err": b""}
        self.data_fd, writing = os.pipe2(os.O_CLOEXEC)
        with contextlib.suppress(OSError):  # the system's limit for pipes of all processes is reached
            fcntl.fcntl(self.data_fd, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
        libc = ctypes.CDLL(None)
        try:
            self._process = subprocess.Popen(
                [path, *(arg.replace(data_fd_in, str(writing)) if data_fd_in else arg for arg in command[1:])],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE if data_fd_in else writing,
                stderr=subprocess.PIPE,
                pass_fds=(writing,) if data_fd_in else (),
                start_new_session=True,
                # One system call, of a function that is loaded already: safe between fork and exec.
                preexec_fn=lambda: libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL),
            )
        except OSError as error:
            os.close(self.data_fd)
            raise SourceSetupError(
                f"{self.name} cannot be started: {error.strerror}", hint=f"apt install {package}"
            ) from error
        finally:
            os.close(writing)
        with contextlib.suppress(OSError):  # our own limit of memory is not its; the kernel ends it before all others
            _, most = resource.getrlimit(resource.RLIMIT_DATA)
            resource.prlimit(self._process.pid, resource.RLIMIT_DATA, (most, most))
        self._texts: dict[int, str] = {}
        self._poll = select.poll()
        for stream, which in ((self._process.stdout, "out"), (self._process.stderr, "err")):
            if stream is not None:
                os.set_blocking(stream.fileno(), False)
                self._texts[stream.fileno()] = which
                self._poll.register(stream.fileno(), select.POLLIN)
        os.set_blocking(self.data_fd, False)
        self._poll.register(self.data_fd, select.POLLIN)

    @property
    def pid(self) -> int:
        """Process id of the program; also the id of its group."""
        return self._process.pid

    def said(self) -> str:
        """What it has written to stdout so far, where that is not the pipe of pictures; the newest of it."""
        self._read_texts()
        return self._said["out"].decode("utf-8", "replace")

    def wait_for_data(self, timeout_s: float) -> bool:
        """Wait until there is something in the pipe of pictures, its end included; False: nothing came in time."""
        deadline = time.monotonic() + timeout_s
        while True:
            left_ms = max(0.0, (deadline - time.monotonic()) * 1000)
            ready = {fd for fd, _ in self._poll.poll(left_ms)}
            if ready & self._texts.keys():
                self._read_texts()
            if self.data_fd in ready:
                return True
            if not left_ms:
                return False

    def read_into(self, view: memoryview) -> int:
        """Read what is in the pipe, up to the length of ``view``; 0: nothing is there now.

        Raises `ProgramEndedError` at its end.
        """
        try:
            count = os.readv(self.data_fd, [view])
        except BlockingIOError:
            return 0
        if not count:
            raise ProgramEndedError
        return count

    def failure(self) -> SourceError:
        """The error that says how the program ended, with its last words. Ends it if it has not."""
        with contextlib.suppress(subprocess.TimeoutExpired):  # it closed the pipe first
            self._process.wait(STOP_S)
        status = self._process.poll()
        self._read_texts()
        if status is None:
            how = "closed its pipe of pictures"
        elif status < 0:
            how = f"was ended by signal {-status}"
        else:
            how = f"ended with exit status {status}"
        words = last_words(self._said["err"])
        self.stop()
        kind = SourceSetupError if NO_PIPELINE in words else SourceError
        return kind(
            f"{self.name} {how}{': ' if words else ''}{words}",
            hint="try the command in a terminal" if words else "it said nothing; try the command in a terminal",
            reason="source_lost",
        )

    def stop(self) -> None:
        """End the program and all of its group: SIGTERM, and soon after it SIGKILL. May be called twice."""
        for number, wait_s in ((signal.SIGTERM, STOP_S), (signal.SIGKILL, KILL_S)):
            # Its group may outlive it; until it is waited for, no other group can have the number.
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, number)
            self._wait_unreaped(wait_s)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(KILL_S)
        for stream in (self._process.stdout, self._process.stderr):
            if stream is not None:
                stream.close()
        if self.data_fd >= 0:
            os.close(self.data_fd)
            self.data_fd = -1

    def kill_now(self) -> None:
        """Kill the whole group at once. For a signal handler: nothing is waited for."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)

    def _wait_unreaped(self, limit_s: float) -> None:
        """Wait for the program's end, and leave its number taken."""
        if self._process.returncode is not None:
            return
        deadline = time.monotonic() + limit_s
        while time.monotonic() < deadline:
            with contextlib.suppress(ChildProcessError):
                if os.waitid(os.P_PID, self._process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
                    time.sleep(0.005)
                    continue
            return

    def _read_texts(self) -> None:
        for fd, which in list(self._texts.items()):
            with contextlib.suppress(BlockingIOError):
                while True:
                    data = os.read(fd, 65536)
                    if not data:
                        self._poll.unregister(fd)
                        del self._texts[fd]
                        break
                    self._said[which] = (self._said[which] + data)[-4 * WORDS_BYTES :]


def last_words(said: bytes) -> str:
    """The end of what a program said on stderr, on one line, without credentials and file names."""
    lines = [line.strip() for line in said[-WORDS_BYTES:].decode("utf-8", "replace").splitlines()]
    first = next((index for index, line in enumerate(lines) if line.startswith("ERROR")), None)
    text = " / ".join(line for line in lines[first:] if line)
    text = _FILES.sub("…", text)
    text = _CREDENTIALS.sub(lambda found: f"{found[1]}…" if found[1] else "…@", text)
    shown = "".join(char if char.isprintable() else "?" for char in text)
    if len(shown) <= WORDS_SHOWN:
        return shown
    return f"…{shown[-WORDS_SHOWN:]}" if first is None else f"{shown[:WORDS_SHOWN]}…"
