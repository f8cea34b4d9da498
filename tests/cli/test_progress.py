"""Progress bars are drawn on terminals only, and removed again."""

from __future__ import annotations

import io

from edge.cli.progress import FileProgressBar


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_progress_is_drawn_on_terminals_and_taken_away():
    terminal = Terminal()
    progress = FileProgressBar(4, terminal)
    progress.show(1, 10)
    assert "[======------------------] 1/4 files, 10 frames" in terminal.getvalue()
    progress.clear()
    assert terminal.getvalue().endswith("\r\x1b[K")
    pipe = io.StringIO()
    silent = FileProgressBar(4, pipe)
    silent.show(1, 10)
    silent.clear()
    assert pipe.getvalue() == ""
