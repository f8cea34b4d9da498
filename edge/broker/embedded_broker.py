"""Starts the embedded MQTT broker: mosquitto where it is installed, else the one in the ``iotcore`` wheel.

For demonstrations and tests: loopback only, a free port, nobody is asked for a password, nothing is kept. The broker is
a child process that ends with `EmbeddedBroker.stop`, and with us however we end.
"""

from __future__ import annotations

import contextlib
import importlib.util
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from edge.contracts.errors import DeviceError
from edge.process.install import install_command

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

START_TIMEOUT_S = 10.0
SYSTEM_PATH = "/usr/sbin:/usr/local/sbin"
"""Where Debian puts mosquitto; not on every user's PATH."""

# "user root" matters only where root starts it: changing the user would undo DIE_WITH_PARENT below.
MOSQUITTO_CONFIG = """\
listener {port} 127.0.0.1
allow_anonymous true
persistence false
user root
log_type error
set_tcp_nodelay true
"""

# rumqttd, which iotcore wraps, wants all of these. Each version of MQTT has a listener of its own there (5 would be
# [v5.1]) and hangs up on the other; 3.1.1 is what every subscriber can speak, and the MQTT sink falls back to it.
IOTCORE_CONFIG = """\
id = 0

[router]
id = 0
max_connections = 100
max_outgoing_packet_count = 200
max_segment_size = 104857600
max_segment_count = 10

[v4.1]
name = "mqtt311"
listen = "127.0.0.1:{port}"
next_connection_delay_ms = 1

[v4.1.connections]
connection_timeout_ms = 60000
max_payload_size = 1048576
max_inflight_count = 100
dynamic_filters = true
"""

DIE_WITH_PARENT = "import ctypes, os, sys; ctypes.CDLL(None).prctl(1, 9); os.execv(sys.argv[1], sys.argv[1:])"
"""Becomes the program it is given, to be killed by the kernel when the thread that started it is gone
(PR_SET_PDEATHSIG, which outlives exec)."""


@dataclass(frozen=True, slots=True)
class EmbeddedBroker:
    """Embedded MQTT broker that runs on 127.0.0.1; a context manager that stops it."""

    name: str
    """``mosquitto`` or ``iotcore``."""
    port: int
    end: Callable[[], None]
    """Stops it; see `stop`."""

    @property
    def uri(self) -> str:
        """URI for the sink of one device; its client identifier has no slash, which iotcore does not take."""
        return f"mqtt://127.0.0.1:{self.port}?client_id=sonoedge"

    def stop(self) -> None:
        """Stop the broker. May be called twice."""
        self.end()

    def __enter__(self) -> EmbeddedBroker:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def start_broker(search_path: str | None = None) -> EmbeddedBroker:
    """Start the embedded broker, whichever is installed, and return when it accepts connections.

    Args:
        search_path: where to look for mosquitto, as ``PATH``. None: ``PATH`` and the system's own folders.

    Raises:
        DeviceError: there is neither mosquitto nor iotcore, or it does not start.
    """
    if search_path is None:
        program = shutil.which("mosquitto") or shutil.which("mosquitto", path=SYSTEM_PATH)
    else:
        program = shutil.which("mosquitto", path=search_path)
    if program is not None:
        return _start("mosquitto", MOSQUITTO_CONFIG, [program, "-c"])
    if importlib.util.find_spec("iotcore") is not None:
        return _start("iotcore", IOTCORE_CONFIG, [sys.executable, "-m", "iotcore", "--log-level", "ERROR", "--config"])
    raise DeviceError(
        "there is no MQTT broker: neither mosquitto nor iotcore is installed",
        hint=f"{install_command('demo')}, or apt install mosquitto",
    )


def _start(name: str, config: str, command: list[str]) -> EmbeddedBroker:
    folder = tempfile.TemporaryDirectory(prefix="sonoedge-broker-")
    port = _free_port()
    path = Path(folder.name) / "broker.toml"  # iotcore goes by the ending
    path.write_text(config.format(port=port))
    with (Path(folder.name) / "log").open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-c", DIE_WITH_PARENT, *command, path],
            cwd=folder.name,  # Python looks for modules where it is started
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,  # Ctrl-C ends the daemon first, which still wants to publish that it goes offline
        )

    def stop() -> None:
        if process.poll() is None:
            process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(2)
            process.kill()
            with contextlib.suppress(subprocess.TimeoutExpired):  # one that cannot be killed is not waited for
                process.wait(2)
        folder.cleanup()

    deadline = time.monotonic() + START_TIMEOUT_S
    while not _accepts(port):
        if process.poll() is not None or time.monotonic() > deadline:
            log = (Path(folder.name) / "log").read_text(errors="replace").strip().splitlines()
            stop()
            raise DeviceError(
                f"the {name} broker does not start: {log[-1] if log else 'it says nothing'}",
                hint="start one yourself, and name it with --sink mqtt://host:port",
            )
        time.sleep(0.02)
    return EmbeddedBroker(name, port, stop)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _accepts(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
