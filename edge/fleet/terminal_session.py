"""Terminal in character mode and on its alternate screen: keys, size, signals; all is put back at every end.

Put back at the end of the ``with`` block, whatever ends it: a key, an exception, SIGINT (KeyboardInterrupt), SIGTERM
and SIGHUP (SystemExit). At Ctrl-Z the terminal is given back too, and taken again when the program goes on.
"""

from __future__ import annotations

import errno
import os
import select
import shutil
import signal
import sys
import termios
import tty
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from edge.fleet.key_parser import KeyParser

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType, TracebackType

ENTER_SCREEN = b"\x1b[?1049h\x1b[?25l\x1b[?7l\x1b[2J"
"""Alternate screen, no cursor, no line wrap: a character that is wider than we think moves nothing."""
LEAVE_SCREEN = b"\x1b[0m\x1b[?7h\x1b[?25h\x1b[?1049l"
ESCAPE_S = 0.1
"""A lone escape is the key Esc when nothing follows for so long; over ssh a sequence may come in two parts."""
LEAVE_S = 1.0
"""Longest wait for a terminal that takes no output (Ctrl-S) when the screen is left."""
DEFAULT_SIZE = (80, 24)
_ENDS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_HELD = {*_ENDS, signal.SIGTSTP, signal.SIGTTOU}


class TerminalSession:
    """Context manager of a terminal that is drawn on. For the main thread: it handles signals."""

    def __init__(self, output_fd: int | None = None, input_fd: int | None = None) -> None:
        """Standard output and input by default. Without a terminal at the input there are no keys."""
        self._output = sys.stdout.fileno() if output_fd is None else output_fd
        source = _standard_input() if input_fd is None else input_fd
        self._input = source if source is not None and os.isatty(source) else None
        self._parser = KeyParser()
        self._settings: list[Any] | None = None
        self._handlers: dict[signal.Signals, Any] = {}
        self._taken = self._ending = self._stop_wanted = self._continued = False
        self._redraw = True
        self._wake_read, self._wake_write = -1, -1

    def __enter__(self) -> TerminalSession:
        sys.stdout.flush()
        self._wake_read, self._wake_write = os.pipe()
        os.set_blocking(self._wake_write, False)
        try:
            if self._input is not None:
                self._settings = termios.tcgetattr(self._input)
            for number, handler in (
                *((each, self._on_end) for each in _ENDS),
                (signal.SIGTSTP, self._on_stop),
                (signal.SIGCONT, self._on_continue),
                (signal.SIGWINCH, self._on_resize),
            ):
                before = signal.getsignal(number)
                if before is not signal.SIG_IGN or number == signal.SIGWINCH:  # under nohup it stays so
                    self._handlers[number] = before
                    signal.signal(number, handler)
            self._take()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ending = True
        before = signal.pthread_sigmask(signal.SIG_BLOCK, _HELD)  # nothing comes between while it is put back
        try:
            self._give_back()
            for number, handler in self._handlers.items():
                signal.signal(number, signal.SIG_DFL if handler is None else handler)
            self._handlers.clear()
            os.close(self._wake_read)
            os.close(self._wake_write)
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)

    @property
    def has_keys(self) -> bool:
        """Whether keys can be read: standard input is a terminal too."""
        return self._input is not None

    def size(self) -> tuple[int, int]:
        """Columns and lines of the terminal now; of one that does not say, those of the environment, or 80x24."""
        with suppress(OSError):
            found = os.get_terminal_size(self._output)
            if found.columns > 0 and found.lines > 0:
                return found.columns, found.lines
        found = shutil.get_terminal_size(DEFAULT_SIZE)
        return found.columns, found.lines

    def wait(self, timeout_s: float) -> list[str]:
        """Keys that were pressed, after at most ``timeout_s``; sooner if there are some, or all must be drawn anew.

        Raises `EOFError` if the terminal has gone.
        """
        sources = [self._wake_read] if self._input is None else [self._input, self._wake_read]
        ready, _, _ = select.select(sources, [], [], ESCAPE_S if self._parser.pending else max(0.0, timeout_s))
        if self._wake_read in ready:
            os.read(self._wake_read, 4096)
        if self._stop_wanted:
            self._stop()
        if self._continued:  # whoever stopped us may have changed the terminal
            self._take()
        if self._input is None or self._input not in ready:
            return self._parser.flush() if self._parser.pending and not ready else []
        return self._read_keys(self._input)

    def _read_keys(self, descriptor: int) -> list[str]:
        try:
            data = os.read(descriptor, 4096)
        except BlockingIOError:  # another program has left the terminal so
            return []
        except OSError as error:
            raise EOFError("the terminal has gone") from error
        if not data:
            raise EOFError("the terminal has gone")
        return self._parser.feed(data)

    @property
    def redraw_pending(self) -> bool:
        """Whether all must be drawn anew: another size, or back from being stopped."""
        return self._redraw

    def take_redraw(self) -> bool:
        """Whether all must be drawn anew; the caller does it now."""
        wanted, self._redraw = self._redraw, False
        return wanted

    def write(self, data: bytes) -> None:
        """Write all of ``data``. Raises `EOFError` if the terminal has gone."""
        try:
            while data:
                select.select([], [self._output], [])
                data = data[os.write(self._output, data) :]
        except OSError as error:
            raise EOFError("the terminal has gone") from error

    def _take(self) -> None:
        """Switch to character mode and the alternate screen; the signals of keys (Ctrl-C, Ctrl-Z) stay."""
        self._continued = False
        self._taken = True
        if self._input is not None:
            _until_done(lambda descriptor: tty.setcbreak(descriptor, termios.TCSANOW), self._input)
        self._parser = KeyParser()
        self._redraw = True
        self.write(ENTER_SCREEN)

    def _give_back(self) -> None:
        """Put back what the terminal was; of one that has gone, takes nothing or is another's now, what can be."""
        if not self._taken:
            return
        self._taken = False
        settings = self._settings
        if self._input is not None and settings is not None:
            with suppress(termios.error, OSError):
                if os.tcgetpgrp(self._input) == os.getpgrp():  # else a shell reads there, in a mode of its own
                    _until_done(lambda fd: termios.tcsetattr(fd, termios.TCSANOW, settings), self._input)
        with suppress(OSError):
            if select.select([], [self._output], [], LEAVE_S)[1]:
                os.write(self._output, LEAVE_SCREEN)

    def _stop(self) -> None:
        """Give the terminal back and stop, as Ctrl-Z asks; goes on here at ``fg``."""
        self._stop_wanted = False
        self._give_back()
        ours = signal.signal(signal.SIGTSTP, signal.SIG_DFL)
        signal.raise_signal(signal.SIGTSTP)
        signal.signal(signal.SIGTSTP, ours)
        self._continued = True

    def _on_end(self, number: int, frame: FrameType | None) -> None:
        if self._ending:  # once is enough: another one would break off the putting back
            return
        self._ending = True
        if number == signal.SIGINT:
            raise KeyboardInterrupt
        raise SystemExit(128 + number)

    def _on_stop(self, number: int, frame: FrameType | None) -> None:
        self._stop_wanted = True
        self._wake()

    def _on_continue(self, number: int, frame: FrameType | None) -> None:
        self._continued = True
        self._wake()

    def _on_resize(self, number: int, frame: FrameType | None) -> None:
        self._redraw = True
        self._wake()

    def _wake(self) -> None:
        with suppress(BlockingIOError):
            os.write(self._wake_write, b"!")


def _until_done(change: Callable[[int], Any], descriptor: int) -> None:
    """Call ``change``, again if a signal interrupts it: in the background it waits until ``fg``."""
    try:
        change(descriptor)
    except termios.error as error:
        if error.args[0] != errno.EINTR:
            raise
        _until_done(change, descriptor)


def _standard_input() -> int | None:
    try:
        return sys.stdin.fileno()
    except (AttributeError, OSError, ValueError):
        return None
