"""Progress bars are drawn on terminals only, and removed again."""

from __future__ import annotations

import io

from edge.cli.progress import FileProgressBar


class FakeTerminal(io.StringIO):
    def isatty(self):
        return True


def test_a_terminal_that_clears_no_line_gets_no_bar(monkeypatch):
    monkeypatch.setenv("TERM", "dumb")
    terminal = FakeTerminal()
    FileProgressBar(4, terminal).show(1, 10)
    assert terminal.getvalue() == ""


def test_progress_is_drawn_on_terminals_and_taken_away(monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    terminal = FakeTerminal()
    progress = FileProgressBar(4, terminal)
    progress.show(1, 10)
    assert "[======------------------] 1/4 files, 10 frames" in terminal.getvalue()
    progress.clear()
    assert terminal.getvalue().endswith("\r\x1b[K")
    one = FileProgressBar(1, terminal, frames=8)
    one.show(0, 4)
    assert "[============------------] 4/8 frames" in terminal.getvalue()
    pipe = io.StringIO()
    silent = FileProgressBar(4, pipe)
    silent.show(1, 10)
    silent.clear()
    assert pipe.getvalue() == ""
