"""Live page of the demo: a daemon on a phantom with its page, until Ctrl-C."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import sys
import tempfile
import time
import webbrowser
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from edge.contracts.errors import DeviceError
from edge.demo.daemon_process import DemoDaemon

if TYPE_CHECKING:
    from collections.abc import Callable

COMMAND = "edge-cli run --source 'phantom://?seed=1' --view"
START_S = 30.0


def can_show() -> bool:
    """Whether somebody is there to look: a terminal, and the page's libraries."""
    there = all(find_spec(name) is not None for name in ("starlette", "uvicorn", "websockets"))
    return there and sys.stdin.isatty() and sys.stdout.isatty()


def show_page(out: Path, tell: Callable[[str], None]) -> None:
    """Run a daemon on a phantom with its page, open the page where there is a desktop, and wait for Ctrl-C.

    ``tell`` is called with the page's address. Raises `DeviceError` if the daemon does not come up.
    """
    state, log = Path(tempfile.mkdtemp(prefix="sonoedge-demo-")), out / "page.log"
    config = state / "page.toml"
    config.write_text("[view]\nport = 0\n", encoding="utf-8")
    args = ["--source", "phantom://?seed=1", "--view", "--config", str(config), "--state-dir", str(state / "state")]
    try:
        with DemoDaemon(args, log) as daemon, contextlib.suppress(KeyboardInterrupt):
            address = _address(daemon, log)
            tell(address)
            if os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"):
                webbrowser.open(address)
            while True:
                time.sleep(0.5)
                daemon.require_running()
    finally:
        shutil.rmtree(state, ignore_errors=True)


def _address(daemon: DemoDaemon, log: Path) -> str:
    """Address of the page, from the daemon's log."""
    until = time.monotonic() + START_S
    while time.monotonic() < until:
        found = re.search(r"the page is at (\S+)", log.read_text(encoding="utf-8", errors="replace"))
        if found:
            return found[1]
        daemon.require_running()
        time.sleep(0.1)
    raise DeviceError("the page did not come up in time", hint=f"its log is {log}")
