"""Main program of ``edge-cli``: finds the command, runs it, and turns errors into exit codes.

How to write a command ``foo-bar``:

1. The file ``edge/cli/foo_bar.py``. It is imported when the command is named, for its ``--help`` too: so nothing at
   module level (nor in a signature) may import numpy, cv2, pydicom or paho. Import what is heavy inside functions.
2. In it, either one typer function called ``command``, or, for a command with sub-commands, a ``typer.Typer`` called
   ``app``, with ``help=`` and ``@app.command()`` functions. Both plain: markup and completion are set here.
3. A docstring (or ``help=``) begins with a line of its own, the short help; for ``command`` and ``app`` the same
   words stand in `COMMANDS` below. It ends in a part ``Example:``, whose indented lines can be run; they are shown last
   and as they are. Tests hold both. ``edge/cli/schema.py`` is a short one to look at.
4. A command returns None (exit code 0) or an exit code, prints data on stdout, logs on stderr, and raises an
   `EdgeError` for what the user should know: its two lines and its exit code are made here.
"""

from __future__ import annotations

import os
import signal
import sys
from difflib import get_close_matches
from importlib import import_module
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from edge.cli.errors import check_stdout, printing, report
from edge.contracts.errors import UsageError
from edge.process.text_streams import set_up_text_streams

PROGRAM = "edge-cli"

COMPLETION = "_EDGE_CLI_COMPLETE"
"""Environment variable by which the shell's completion asks."""

COMMANDS = {
    "run": "Run the daemon: frames in, findings out, until stopped.",
    "demo": "See it work: a broker, the daemon, a phantom and a real clip, on this machine alone.",
    "demo-live": "See a live camera lost and found: ffmpeg plays a phantom, on this machine alone.",
    "infer": "Analyse pictures, videos, DICOM files or folders.",
    "benchmark": "Measure how long a frame takes, from its capture to the broker's acknowledgement.",
    "outbox": "Look into the stored messages, have them sent again, take them out.",
    "doctor": "Check this machine: runtimes, devices, disk, clock, brokers; say what is missing.",
    "config": "Write, show and check the configuration.",
    "schema": "Write the schemas of all messages, or check that they are current.",
    "model": "Look into a model bundle, verify it, and make one of a model from elsewhere.",
    "view": "Make what the page needs to be reached from other machines.",
    "fleet": "Watch many devices at once.",
    "simulate": "Play many devices to a broker, with known losses.",
}
"""Name and first line of help of every command; ``foo-bar`` lives in ``edge/cli/foo_bar.py``."""

STYLE: dict[str, Any] = {"rich_markup_mode": None, "add_completion": False, "pretty_exceptions_enable": False}
"""rich doubles the time that --help takes."""


class LazyGroup(TyperGroup):
    """A command group that imports a command's module when the command is named, and not before."""

    def list_commands(self, ctx: Any) -> list[str]:
        """Names of all commands, in the order of `COMMANDS`."""
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Import the command ``cmd_name``; raises `UsageError` if there is none of that name."""
        if cmd_name not in COMMANDS:
            near = get_close_matches(cmd_name, COMMANDS, n=1)
            hint = f"did you mean {PROGRAM} {near[0]}?" if near else f"there are: {', '.join(COMMANDS)}"
            raise UsageError(f"there is no command {cmd_name!r}", hint=hint)
        return load(cmd_name)

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Write the list of commands in ``--help`` from `COMMANDS`: no command is imported for it."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


def load(name: str) -> Any:
    """Import the command ``name``; raises `UsageError` if its module is not in this installation."""
    module_name = f"edge.cli.{name.replace('-', '_')}"
    try:
        module = import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name != module_name:
            raise
        from edge.process.install import reinstall_command

        raise UsageError(f"this installation lacks the command {name}", hint=reinstall_command()) from None
    host = typer.Typer(callback=lambda: None, **STYLE)
    if hasattr(module, "app"):
        host.add_typer(module.app, name=name)
    else:
        host.command(name)(module.command)
    group: Any = typer.main.get_command(host)
    command = group.commands[name]
    set_examples_apart(command)
    return command


def set_examples_apart(command: Any) -> None:
    """Move ``Example:`` of a command's help, and of its sub-commands', to the end, and keep its line breaks."""
    text, sep, example = (command.help or "").partition("\n\nExample")
    if sep:
        command.help, command.epilog = text, f"\b\nExample{example}"
    for child in getattr(command, "commands", {}).values():
        set_examples_apart(child)


def show_version(wanted: bool) -> None:
    """Print the version and exit, if the option was given."""
    if wanted:
        from edge import __version__

        print(f"sonoedge {__version__}")
        raise typer.Exit


app = typer.Typer(cls=LazyGroup, **{**STYLE, "add_completion": True})


@app.callback(invoke_without_command=True)
def root(
    ctx: typer.Context,
    version: Annotated[  # typer wants a parameter for what `show_version` has already dealt with
        bool, typer.Option("--version", help="Show the version and exit.", callback=show_version, is_eager=True)
    ] = False,
) -> None:
    """Find lesions in ultrasound, on the device: frames in, findings out over MQTT.

    Research use only, not a medical device.

    Example:
      edge-cli demo
      edge-cli infer scan.png --overlay out/
      edge-cli run --source phantom://?seed=1 --sink mqtt://localhost:1883
    """
    if ctx.invoked_subcommand is None:
        print(ctx.get_help())


def command_tree() -> Any:
    """Root command of ``edge-cli``, its sub-commands not imported yet."""
    command = typer.main.get_command(app)
    set_examples_apart(command)
    return command


def run(args: list[str]) -> int:
    """Run ``edge-cli`` with ``args``; return the exit code."""
    try:
        try:
            command = command_tree()
            if COMPLETION in os.environ:  # a shell asks what may stand here; it is no call of a user's
                command.main(args=args, prog_name=PROGRAM, complete_var=COMPLETION)
            with command.make_context(PROGRAM, args) as ctx:
                result = command.invoke(ctx)
        except typer.Exit as leave:
            result = leave.exit_code
        with printing():
            sys.stdout.flush()  # now, where a broken pipe can still be met quietly
    except (Exception, KeyboardInterrupt) as error:
        return report(error)
    return result if isinstance(result, int) else 0


def main() -> None:
    """Entry point of the program ``edge-cli``."""
    set_up_text_streams()
    check_stdout()
    # At SIGTERM as at Ctrl-C: what is half written is removed, children are ended. Daemons have handlers of their own.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    sys.exit(run(sys.argv[1:]))


if __name__ == "__main__":
    main()
