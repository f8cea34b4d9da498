"""Wall clock that can be set at run time, for the processes that are started with it: a preloaded C library.

(libfaketime 0.9.10 also bends ``clock_nanosleep`` on the monotonic clock, which ``time.sleep`` of Python >= 3.11 is
made of: it fails with EINVAL. Here nothing but looking at the wall clock is changed.)
"""

from __future__ import annotations

import mmap
import shutil
import struct
import subprocess
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

SOURCE = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static const volatile long long *ahead;
static int (*real)(clockid_t, struct timespec *);

__attribute__((constructor)) static void begin(void) {
    const char *path = getenv("YARD_CLOCK");
    int file = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    if (file >= 0) {
        void *seen = mmap(NULL, sizeof *ahead, PROT_READ, MAP_SHARED, file, 0);
        if (seen != MAP_FAILED) ahead = seen;
        close(file);
    }
    real = (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
}

int clock_gettime(clockid_t which, struct timespec *now) {
    if (!real) begin();
    int failed = real(which, now);
    if (!failed && ahead && (which == CLOCK_REALTIME || which == CLOCK_REALTIME_COARSE)) now->tv_sec += *ahead;
    return failed;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone) {
    struct timespec exact;
    (void)zone;
    if (clock_gettime(CLOCK_REALTIME, &exact)) return -1;
    now->tv_sec = exact.tv_sec;
    now->tv_usec = exact.tv_nsec / 1000;
    return 0;
}

time_t time(time_t *where) {
    struct timespec exact;
    clock_gettime(CLOCK_REALTIME, &exact);
    if (where) *where = exact.tv_sec;
    return exact.tv_sec;
}
"""


def compiler() -> str | None:
    """Path of the C compiler that makes the library; None: there is none here."""
    return shutil.which("cc") or shutil.which("gcc")


class SettableClock:
    """A settable wall clock; the monotonic one is not moved, it never jumps on a real machine either."""

    def __init__(self, folder: Path) -> None:
        """Compile the library into ``folder``, where the file that the processes share lies too."""
        cc = compiler()
        assert cc is not None
        source, library, shared = folder / "clock.c", folder / "clock.so", folder / "clock"
        source.write_text(SOURCE)
        subprocess.run([cc, "-O1", "-shared", "-fPIC", "-o", library, source, "-ldl"], check=True)
        shared.write_bytes(bytes(8))
        with shared.open("r+b") as file:
            self._shared = mmap.mmap(file.fileno(), 8)
        self.environment = {"LD_PRELOAD": str(library), "YARD_CLOCK": str(shared)}

    def set(self, ahead_s: int) -> None:
        """Set the clock ``ahead_s`` seconds ahead of the machine's, or behind it, from now on."""
        self._shared[:] = struct.pack("q", ahead_s)

    def close(self) -> None:
        """Close the shared file, after the processes have ended."""
        self._shared.close()
