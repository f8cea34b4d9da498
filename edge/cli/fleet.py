"""``edge-cli fleet``: watches many devices at once over their MQTT broker."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from edge.cli import broker_options as options

if TYPE_CHECKING:
    from edge.fleet.fleet_watch import FleetWatch

app = typer.Typer(
    help="""Watch many devices at once.

Example:
  edge-cli fleet watch --broker mqtt://localhost:1883 --once"""
)


@app.command()
def watch(
    broker: options.BrokerUri,
    once: Annotated[bool, typer.Option("--once", help="Print a plain table, and leave.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object a device, and leave.")] = False,
    only: Annotated[str, typer.Option("--filter", help="Only devices that show this text in any column.")] = "",
    sort: Annotated[str, typer.Option(help="Column to sort by; numbers the largest first.")] = "site",
    root: options.TopicRoot = "edge/v1",
    timeout: Annotated[
        float, typer.Option(min=0.1, help="Seconds that --once and --json wait for every device's health.")
    ] = 15.0,
    ask: Annotated[bool, typer.Option("--ask", help="Ask devices for what is missing and still kept.")] = False,
    username: options.Username = None,
    password_file: options.PasswordFile = None,
    ca_file: options.CaFile = None,
    cert_file: options.CertFile = None,
    key_file: options.KeyFile = None,
) -> None:
    """Show how all devices are, and what is missing of them.

    One row a device: state, model, runtime, speed, temperature, what waits in its outbox, its last finding, and which
    messages are missing, were repaired or given up (expired), counted from when the watch began. Anomalies are messages
    that should not have come: unreadable, conflicting (two under one number), implausible (numbers that the device
    cannot have reached), foreign (of another device than the topic says). The live table needs the extra fleet
    (pip install '.[fleet]' in the checkout); --once and --json do not.

    Example:
      edge-cli fleet watch --broker mqtt://localhost:1883
      edge-cli fleet watch --broker mqtt://localhost:1883 --once --sort missing
      edge-cli fleet watch --broker mqtt://localhost:1883 --json --filter degraded
    """
    from edge.fleet.consumer_connection import broker_settings
    from edge.fleet.device_table import check_column
    from edge.fleet.fleet_watch import FleetWatch
    from edge.fleet.live_table import open_console, show_live

    check_column(sort)
    terminal = None if once or as_json else open_console()
    files = {"password_file": password_file, "ca_file": ca_file, "cert_file": cert_file, "key_file": key_file}
    watcher = FleetWatch(broker_settings(broker, username=username, **files), root.strip("/"))
    try:
        if terminal is not None:
            show_live(watcher, terminal, only, sort, ask)
        else:
            _print_once(watcher, only, sort, timeout, ask=ask, as_json=as_json)
    except KeyboardInterrupt:  # the way to leave a live table
        if terminal is None:
            raise
    finally:
        watcher.close()


def _print_once(watcher: FleetWatch, only: str, sort: str, timeout: float, *, ask: bool, as_json: bool) -> None:
    """Print all devices once, when each has told its health or ``timeout`` is over."""
    import msgspec

    from edge.fleet.device_table import anomaly_texts, filter_and_sort, plain_table

    complete = watcher.receive_until_complete(timeout)
    if ask and watcher.request_missing():
        watcher.receive_until_complete(timeout)
    rows, unassigned = watcher.overview.rows(), watcher.overview.unassigned()
    if not complete:
        heard = watcher.overview.ledger.devices()
        what = "not every device has told its health" if heard else "no device was heard"
        print(f"{what} within {timeout:g} s", file=sys.stderr)
    for row in filter_and_sort(rows, only, sort) if as_json else ():
        print(msgspec.json.encode(row).decode())
    if not as_json:
        print(plain_table(filter_and_sort(rows, only, sort), unassigned))
    for text in anomaly_texts(rows, unassigned) if as_json else ():
        print(f"{text}: see docs/fleet.md", file=sys.stderr)
