"""Child processes: payload, file descriptors, and the end with their parent."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
import time

from edge.process.child import Child


def alive(pid: int) -> bool:
    """Whether the process runs; a zombie, which nobody has reaped yet, does not."""
    try:
        with open(f"/proc/{pid}/stat") as stat:
            return stat.read().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def wait_for(condition, seconds=20.0):
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.02)
    return condition()


def write_module(tmp_path, monkeypatch, body):
    (tmp_path / "child_under_test.py").write_text(textwrap.dedent(body))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")]))


def test_a_child_gets_its_payload_and_its_descriptors(tmp_path, monkeypatch):
    write_module(
        tmp_path,
        monkeypatch,
        """
        import os
        from edge.process.child import inherit
        given = inherit()
        os.write(given.fds[0], given.payload[::-1])
        """,
    )
    read, write = os.pipe()
    child = Child("child_under_test", b"abc", (write,))
    assert child.wait(20) == 0
    assert os.read(read, 10) == b"cba"
    child.kill()
    os.close(read)
    os.close(write)


def test_a_child_does_not_outlive_a_parent_that_is_killed(tmp_path, monkeypatch):
    write_module(
        tmp_path,
        monkeypatch,
        """
        import time
        from edge.process.child import inherit
        inherit()
        time.sleep(600)
        """,
    )
    parent = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import time; from edge.process.child import Child; c = Child('child_under_test', b'');"
            "print(c.pid, flush=True); time.sleep(600)",
        ],
        stdout=subprocess.PIPE,
        text=True,
    )
    pid = int(parent.stdout.readline())
    assert alive(pid)
    parent.kill()
    parent.wait()
    parent.stdout.close()
    assert wait_for(lambda: not alive(pid))


def test_a_child_that_hangs_with_pythons_lock_does_not_outlive_its_parent(tmp_path, monkeypatch):
    write_module(
        tmp_path,
        monkeypatch,
        """
        import ctypes
        from edge.process.child import inherit
        inherit()
        print("hangs", flush=True)
        ctypes.PyDLL(None).sleep(600)  # keeps the lock: no other thread of Python runs
        """,
    )
    parent = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import time; from edge.process.child import Child; c = Child('child_under_test', b'');"
            "print(c.pid, flush=True); time.sleep(600)",
        ],
        stdout=subprocess.PIPE,
        text=True,
    )
    pid, said = int(parent.stdout.readline()), parent.stdout.readline()
    assert said == "hangs\n"
    parent.kill()
    parent.wait()
    parent.stdout.close()
    assert wait_for(lambda: not alive(pid))


def test_kill_twice(tmp_path, monkeypatch):
    write_module(tmp_path, monkeypatch, "import time; time.sleep(600)")
    child = Child("child_under_test", b"")
    child.kill()
    child.kill()
    assert not alive(child.pid)


def test_a_child_without_our_stdout_prints_to_stderr(tmp_path, monkeypatch):
    write_module(tmp_path, monkeypatch, "print('said', flush=True); import time; time.sleep(600)")
    program = "from edge.process.child import Child; c = Child('child_under_test', b'', own_stdout=False); input()"
    with subprocess.Popen(
        [sys.executable, "-c", program],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as parent:
        assert parent.stderr.readline() == "said\n"
        parent.kill()
        assert parent.stdout.read() == ""
