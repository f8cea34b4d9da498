"""``edge-cli fleet forget``: deletes what a broker retains of devices that are gone."""

from __future__ import annotations

import sys
from collections import Counter
from typing import TYPE_CHECKING, Annotated

import typer

from edge.cli import broker_options as options

if TYPE_CHECKING:
    from edge.fleet.forget import RetainedDevice

SHOWN = 20
"""Most devices that are shown one by one before the question."""


def command(
    pattern: Annotated[str, typer.Argument(help="SITE/DEVICE, or DEVICE of any site; * and ? are wildcards.")],
    broker: options.BrokerUri,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    root: options.TopicRoot = "edge/v1",
    username: options.Username = None,
    password_file: options.PasswordFile = None,
    ca_file: options.CaFile = None,
    cert_file: options.CertFile = None,
    key_file: options.KeyFile = None,
) -> None:
    """Delete what the broker retains of devices that are gone for good.

    Shows what would be deleted (of more than 20 devices a summary and the first 20), and asks. A device that still runs
    comes back with its next state. SITE/bridge is what a site's bridge said of its connection. Quote the pattern, or
    the shell replaces * itself.

    Example:
      edge-cli fleet forget --broker mqtt://localhost:1883 clinic-a/cart-7
      edge-cli fleet forget --broker mqtt://localhost:1883 'sim-*/*' --yes
    """
    from edge.contracts.errors import EdgeError, UsageError
    from edge.fleet.consumer_connection import broker_settings
    from edge.fleet.forget import DeviceForgetter

    files = {"password_file": password_file, "ca_file": ca_file, "cert_file": cert_file, "key_file": key_file}
    forgetter = DeviceForgetter(broker_settings(broker, username=username, **files), root.strip("/"))
    try:
        found = forgetter.find(pattern)
        if not forgetter.all_listed:
            print("the broker did not tell of all devices: call this again afterwards", file=sys.stderr)
        if not found:
            raise EdgeError(
                f"nothing is retained of a device {pattern}", hint="edge-cli fleet watch --once shows all of them"
            )
        print("\n".join(_lines(found)))
        if not yes:
            answer = _ask(f"Forget {'this' if len(found) == 1 else f'these {len(found)}'}? [y/N] ")
            if answer is None:
                raise UsageError("nothing was deleted: nobody answered the question", hint="--yes does not ask")
            if answer.strip().lower() not in ("y", "yes"):
                print("nothing was deleted")
                raise typer.Exit(1)
        forgetter.delete(found)
        print(f"{len(found)} forgotten")
    finally:
        forgetter.close()


def _lines(found: list[RetainedDevice]) -> list[str]:
    """A line a device; of many only the first ones, behind a summary of all."""
    lines = [_line(one) for one in found[:SHOWN]]
    if len(found) <= SHOWN:
        return lines
    said = Counter(one.said for one in found)
    states = ", ".join(f"{number} last said {state}" for state, number in said.most_common())
    messages = sum(len(one.topics) for one in found)
    summary = f"{len(found)} devices, {messages} retained messages: {states}"
    return [summary, *lines, f"and {len(found) - SHOWN} more; a narrower pattern shows them"]


def _line(one: RetainedDevice) -> str:
    what = "1 retained message" if len(one.topics) == 1 else f"{len(one.topics)} retained messages"
    return f"{one.site}/{one.device}  last said {one.said}  {what}"


def _ask(question: str) -> str | None:
    """The answer to ``question``; None if standard input has none."""
    print(question, end="", flush=True)
    answer = sys.stdin.readline()
    if not answer:
        print()
    return answer or None
