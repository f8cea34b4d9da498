"""Error messages of the command line: two lines on stderr and an exit code, never a traceback.

    error: what happened
    hint: what to do about it

Set EDGE_DEBUG=1 to see the traceback of an unexpected one as well.
"""

from __future__ import annotations

import os
import sys
import traceback
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

import typer

from edge.contracts.errors import DeviceError, EdgeError

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
    return "".join(c if c.isprintable() else " " for c in " ".join(text.split()))


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
        redirect_stdout_to_null()
        raise DeviceError(
            f"standard output cannot be written: {error.strerror}", hint="make room there, or send it elsewhere"
        ) from None


def redirect_stdout_to_null() -> None:
    """Redirect stdout to /dev/null: the interpreter's last flush would complain of the broken pipe once more."""
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, sys.stdout.fileno())
    os.close(null)
