"""Error messages of the command line: two lines on stderr and an exit code, never a traceback.

    error: what happened
    hint: what to do about it

Set EDGE_DEBUG=1 to see the traceback of an unexpected one as well.
"""

from __future__ import annotations

import io
import os
import sys
import traceback
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

import typer

from edge.contracts.errors import DeviceError, EdgeError
from edge.process.text_streams import ClosedStream

if TYPE_CHECKING:
    from collections.abc import Iterator

INTERRUPTED = 130
"""Exit code after Ctrl-C, as shells have it: 128 + SIGINT."""
BROKEN_PIPE = 141
"""Exit code when the reader of our output went away: 128 + SIGPIPE."""
USAGE_ERROR: type[Any] = typer.BadParameter.__mro__[1]
"""The parser's own error about the command line. Newer typers carry click inside, older ones import it: the class
is found through the one name that both export."""


def report(error: BaseException) -> int:
    """Print ``error`` on stderr for the user; return the exit code of the process."""
    if isinstance(error, typer.Exit):
        return error.exit_code
    if isinstance(error, EdgeError):
        print_error(error.message, error.hint or "run with EDGE_DEBUG=1 to see where this came from")
        print_traceback_if_asked()
        return error.exit_code
    if isinstance(error, USAGE_ERROR):
        path = error.ctx.command_path if error.ctx else "edge-cli"
        print_error(error.format_message(), f"see {path} --help")
        return 2
    if isinstance(error, (KeyboardInterrupt, typer.Abort)):
        return INTERRUPTED
    if isinstance(error, BrokenPipeError):
        redirect_stdout_to_null()
        return BROKEN_PIPE
    print_error(
        f"unexpected {type(error).__name__}: {error}", "set EDGE_DEBUG=1 for the traceback, and report it please"
    )
    print_traceback_if_asked()
    return 1


def print_error(message: str, hint: str) -> None:
    """Print exactly two lines on stderr, whatever line breaks the texts hold."""
    with suppress(OSError, ValueError):  # when no one reads our stderr either, the exit code must do
        print(f"error: {one_line(message)}\nhint: {one_line(hint)}", file=sys.stderr)


def one_line(text: str) -> str:
    """Text without line breaks, and without the control characters that terminals act on."""
    text = text.encode("utf-8", "surrogateescape" if _only_bytes(text) else "replace").decode("utf-8", "replace")
    return "".join(c if c.isprintable() else " " for c in " ".join(text.split()))


def _only_bytes(text: str) -> bool:
    """Whether all surrogates in ``text`` stand for single bytes, as in the names of files that are not UTF-8."""
    return all("\udc80" <= c <= "\udcff" for c in text if "\ud800" <= c <= "\udfff")


def print_traceback_if_asked() -> None:
    """Print the traceback of the exception that is being handled, if EDGE_DEBUG is set."""
    if os.environ.get("EDGE_DEBUG", "0") not in ("", "0"):
        traceback.print_exc()


@contextmanager
def printing() -> Iterator[None]:
    """Context manager around prints to stdout: raises `DeviceError` if it cannot be written.

    A reader that went away is another matter: BrokenPipeError goes on.
    """
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        raise _not_written(error) from None


def require_stdout() -> None:
    """Raise `DeviceError` if stdout was closed at the start: for what was asked for there, before it is made."""
    if isinstance(sys.stdout, ClosedStream):
        raise DeviceError("standard output cannot be written: it is closed", hint="open it, or send it elsewhere")


class CheckedStdout(io.TextIOWrapper):
    """Standard output that says that it is the one that cannot be written, whoever prints: raises `DeviceError`."""

    def write(self, text: str) -> int:
        """Write as `io.TextIOWrapper`. BrokenPipeError goes on: a reader that went away is no fault."""
        if text == "":  # the parser tries so whether it is text that is written here, and takes an error for a no
            return 0
        with printing():
            return super().write(text)

    def flush(self) -> None:
        """Flush as `io.TextIOWrapper`, see `write`."""
        with printing():
            super().flush()


def check_stdout() -> None:
    """Put a `CheckedStdout` in the place of stdout, where that is a file, a pipe or a terminal."""
    old = sys.stdout
    if type(old) is io.TextIOWrapper:
        line_buffering, write_through = old.line_buffering, old.write_through
        encoding, errors = old.encoding, old.errors
        sys.stdout = CheckedStdout(
            old.detach(), encoding, errors, line_buffering=line_buffering, write_through=write_through
        )


def _not_written(error: OSError) -> DeviceError:
    """Error for the user; what is left unwritten is dropped, or the interpreter would meet it again at its end."""
    redirect_stdout_to_null()
    return DeviceError(
        f"standard output cannot be written: {error.strerror}", hint="make room there, or send it elsewhere"
    )


def redirect_stdout_to_null() -> None:
    """Redirect stdout to /dev/null: the interpreter's last flush would complain of the broken pipe once more."""
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, sys.stdout.fileno())
    os.close(null)
