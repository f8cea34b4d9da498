"""Errors with a message for the user, a hint what to do, and the exit code of the command.

    EdgeError               exit 1   unexpected
      UsageError            exit 2   the command line
      ConfigError           exit 3   a setting, with file and line where known
      ModelError            exit 4   a bundle that is broken, or does not compute what it says it does
      DeviceError           exit 5   this machine: runtimes, state-dir, ports
        SourceError         exit 5   cameras, files, DICOM
          SourceSetupError  exit 5   a live source that only a person at this machine can mend
        ProcessKilledError  exit 1   a process of ours was killed from outside: trying again may help
      SinkError             exit 6   brokers and other receivers

An error is two lines to the user: what happened, and what to do about it (``hint``). Never a traceback.
"""

from __future__ import annotations


class EdgeError(Exception):
    """Base class of all errors with a message for people. ``hint`` says what to do next."""

    exit_code = 1

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class UsageError(EdgeError):
    """The command was called wrongly."""

    exit_code = 2


class ConfigError(EdgeError):
    """A setting is unknown, of the wrong type or contradicts another."""

    exit_code = 3


class ModelError(EdgeError):
    """A model bundle is broken, unsigned, or its golden vectors do not come out."""

    exit_code = 4


class DeviceError(EdgeError):
    """This machine lacks something: a runtime, a directory, a free port."""

    exit_code = 5


class ProcessKilledError(DeviceError):
    """A child process was killed from outside, for lack of memory perhaps: nothing that the user has to mend first."""

    exit_code = 1


class SourceError(DeviceError):
    """A source gives no pictures. ``reason`` is the `Reason` value that a running daemon reports for it."""

    def __init__(self, message: str, *, hint: str = "", reason: str = "decode_error") -> None:
        super().__init__(message, hint=hint)
        self.reason = reason


class SourceSetupError(SourceError):
    """A live source cannot be opened here as it was asked for: a library, a permission or a mode is missing.

    At a start it ends the start; a camera that is merely off does not (`SourceError`).
    """

    def __init__(self, message: str, *, hint: str = "", reason: str = "source_lost") -> None:
        super().__init__(message, hint=hint, reason=reason)


class SinkError(EdgeError):
    """A receiver of messages cannot be reached or refuses the device."""

    exit_code = 6
