"""Resource limits of a child process that decodes: memory, core dumps, and what its native libraries may print."""

from __future__ import annotations

import contextlib
import mmap
import os
import resource
from pathlib import Path

MEMORY_BYTES = 512 << 20
"""Most memory beyond what the child has once its libraries are loaded. H.264 of the largest picture that is read takes
300 MB: sixteen reference frames at 1.5 bytes a pixel."""
STATM = Path("/proc/self/statm")


def limit_memory(most_bytes: int = MEMORY_BYTES) -> None:
    """Limit what this process may take from now on: a hostile stream gets a `MemoryError` instead of the machine."""
    set_soft_limit(resource.RLIMIT_DATA, data_bytes() + most_bytes)


def end_first_when_memory_runs_out() -> None:
    """Leave no core dump, and be the process that the kernel ends first where memory runs out."""
    set_soft_limit(resource.RLIMIT_CORE, 0)
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000")


def silence_output() -> None:
    """Send stdout and stderr nowhere: what decoders print there may quote the file, or the URI and its password."""
    null = os.open(os.devnull, os.O_WRONLY)
    for stream in (1, 2):
        os.dup2(null, stream)
    os.close(null)


def data_bytes() -> int:
    """Bytes of memory that this process has, as RLIMIT_DATA counts them; without /proc, the most that it ever had."""
    with contextlib.suppress(OSError, ValueError, IndexError):
        return int(STATM.read_text().split()[5]) * mmap.PAGESIZE
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10


def set_soft_limit(which: int, value: int) -> None:
    """Set a resource's soft limit (``resource.RLIMIT_…``), no higher than the hard limit, which stays."""
    _, hard = resource.getrlimit(which)
    resource.setrlimit(which, (value if hard == resource.RLIM_INFINITY else min(value, hard), hard))
