"""Controls of the kernel's vivid driver, by which a test pulls cables and breaks pictures."""

from __future__ import annotations

import fcntl
import os
import struct
import time

SET_INPUT = 3 << 30 | 4 << 16 | ord("V") << 8 | 39
SET_CONTROL = 3 << 30 | 8 << 16 | ord("V") << 8 | 28
TEST_PATTERN, TEXT = 0x00F0F000, 0x00F0F001
BLACK, WHITE = 5, 6
QUANTISATION, USUAL_RANGE, FULL_RANGE = 0x00F0F01C, 0, 1
TIMINGS_SIGNAL, TIMINGS = 0x00F0F03E, 0x00F0F03F
NO_SIGNAL, SELECTED_SIGNAL = 1, 4
"""Values of `TIMINGS_SIGNAL`: none; the one that `TIMINGS` selects."""
SMALL_SIGNAL, OTHER_SIGNAL = 0, 2
"""Values of `TIMINGS`: 640x480p59, 720x480p59. Larger ones are too much for a machine without KVM."""
DROPPED_PERCENT = 0x00F0F040
UNPLUG, BREAK_PICTURE, BREAK_REQBUFS, BREAK_QBUF, BREAK_STREAMON, BREAK_STREAM = (0x00F0F041 + n for n in range(6))


def select_input(index: int, node: str = "/dev/video0") -> None:
    """Select an input: the controls of the signal are those of the selected one."""
    fd = os.open(node, os.O_RDWR)
    try:
        fcntl.ioctl(fd, SET_INPUT, struct.pack("=i", index))
    finally:
        os.close(fd)


def set_control(control: int, value: int = 1, node: str = "/dev/video0") -> int:
    """Set one control; returns the monotonic time, in nanoseconds, just before it took effect."""
    fd = os.open(node, os.O_RDWR)
    try:
        at_ns = time.monotonic_ns()
        fcntl.ioctl(fd, SET_CONTROL, struct.pack("=Ii", control, value))
    finally:
        os.close(fd)
    return at_ns
