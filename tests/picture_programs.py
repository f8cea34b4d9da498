"""Programs on PATH that write raw pictures, as rpicam-vid does, and fail in all ways that one can; for tests."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

PROGRAM = '''#!{python}
"""Writes raw YUV420 pictures whose brightness is their number, and notes its arguments and its children."""
import os, signal, subprocess, sys, time
arguments = dict(zip(sys.argv[1::1], sys.argv[2::1]))
fault = {fault!r}
(folder,) = {folder!r},
with open(folder + "/arguments", "w") as file:
    file.write("\\n".join(sys.argv[1:]))
width, height = int(arguments["--width"]), int(arguments["--height"])
if fault == "larger":
    width, height = width * 2, height * 2
period = 1 / float(arguments["--framerate"])
if fault == "child":
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    with open(folder + "/child", "w") as file:
        file.write(str(child.pid))
if fault in ("stubborn", "child"):
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
if fault == "refuses":
    sys.exit("ERROR: *** no cameras available *** at rtsp://user:secret@host/x in '/home/patient/name.conf'")
if fault == "silent":
    time.sleep(600)
due = time.monotonic()
for number in range(100000):
    if number == 4 and fault == "half":
        os.write(1, bytes(width * height))
        sys.exit(3)
    if number == 4 and fault == "hangs":
        os.write(1, bytes(width * height))
        time.sleep(600)
    if number == 4 and fault == "crashes":
        os.kill(os.getpid(), signal.SIGSEGV)
    if number == 4 and fault == "ends":
        sys.exit(0)
    data = bytes([16 + number % 200]) * (width * height) + bytes([128]) * (width * height // 2)
    while data:
        data = data[os.write(1, data):]
    if fault == "talks":
        sys.stderr.write("#%d exposure 1234 gain 1.0 focus 2.0 \\n" % number * 50)
        sys.stderr.flush()
    due += period
    time.sleep(max(0, due - time.monotonic()))
'''


def make_program(folder: Path, fault: str = "", name: str = "rpicam-vid") -> Path:
    """Write an executable ``name`` into ``folder``, which is to be on PATH."""
    path = folder / name
    path.write_text(PROGRAM.format(python=sys.executable, fault=fault, folder=str(folder)))
    path.chmod(0o755)
    return path
