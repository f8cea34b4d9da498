"""The demo's live page: there until Ctrl-C, and nothing is left running."""

from __future__ import annotations

import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

pytest.importorskip("starlette", reason="the extra viewer is not installed")

from viewer_page import LIMIT_S, connected

from edge.process.usage import process_tree

if TYPE_CHECKING:
    from pathlib import Path

SHOW = "import sys; from pathlib import Path; from edge.demo.live_page import show_page; "
SHOW += "show_page(Path(sys.argv[1]), lambda address: print(address, flush=True))"


@pytest.mark.slow
def test_the_page_is_there_until_ctrl_c(tmp_path: Path) -> None:
    demo = subprocess.Popen([sys.executable, "-c", SHOW, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert demo.stdout is not None
    with demo.stdout:
        address = demo.stdout.readline().strip()
        with connected(address) as page:
            page.stream = "phantom-1"
            assert page.until(lambda got: got["frame"] is not None)
        assert len(process_tree(demo.pid)) > 1
        demo.send_signal(signal.SIGINT)
        assert demo.wait(LIMIT_S) == 0
    assert (tmp_path / "page.log").read_text()
