"""``edge-cli fleet``: watches many devices at once over their MQTT broker."""

from __future__ import annotations

import shutil
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from edge.cli import broker_options as options
from edge.cli import fleet_forget

if TYPE_CHECKING:
    from collections.abc import Callable

    from edge.fleet.fleet_overview import DeviceRow
    from edge.fleet.fleet_watch import FleetWatch

app = typer.Typer(
    help="""Watch many devices at once.

Example:
  edge-cli fleet watch --broker mqtt://localhost:1883 --once"""
)
app.command("forget")(fleet_forget.command)


@app.command()
def watch(
    broker: options.BrokerUri,
    once: Annotated[bool, typer.Option("--once", help="Print a plain table, and leave.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object a device, and leave.")] = False,
    only: Annotated[str, typer.Option("--filter", help="Only devices that show this text in any column.")] = "",
    sort: Annotated[str, typer.Option(help="Column to sort by, numbers the largest first.")] = "worst",
    reverse: Annotated[bool, typer.Option("--reverse", help="The other way round.")] = False,
    root: options.TopicRoot = "edge/v1",
    timeout: Annotated[
        float, typer.Option(min=0.1, help="Most seconds that --once and --json wait to know how each device is.")
    ] = 45.0,
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
    (pip install '.[fleet]' in the checkout); --once and --json do not, and exit with 0 if all devices are listed.

    Example:
      edge-cli fleet watch --broker mqtt://localhost:1883 --once --sort missing
      edge-cli fleet watch --broker mqtt://localhost:1883 --json --filter degraded
    """
    from edge.fleet.consumer_connection import broker_settings
    from edge.fleet.device_table import check_column, filter_and_sort
    from edge.fleet.fleet_watch import FleetWatch
    from edge.fleet.live_table import open_console, show_live
    from edge.fleet.table_view import TableView

    check_column(sort)
    terminal = None if once or as_json else open_console()
    files = {"password_file": password_file, "ca_file": ca_file, "cert_file": cert_file, "key_file": key_file}
    watcher = FleetWatch(broker_settings(broker, username=username, **files), root.strip("/"))
    try:
        if terminal is not None:
            show_live(watcher, terminal, TableView(only, sort, reverse), ask)
        else:
            _print_once(watcher, lambda rows: filter_and_sort(rows, only, sort, reverse), timeout, ask, as_json)
    except KeyboardInterrupt:  # the way to leave a live table
        if terminal is None:
            raise
    finally:
        watcher.close()


def _print_once(
    watcher: FleetWatch, choose: Callable[[list[DeviceRow]], list[DeviceRow]], timeout: float, ask: bool, as_json: bool
) -> None:
    """Print the devices of ``choose`` once, when it is known of each how it is, or ``timeout`` is over."""
    import msgspec

    from edge.fleet.cell_text import encodable
    from edge.fleet.device_table import anomaly_texts, plain_table
    from edge.fleet.table_layout import fitted_table

    complete = watcher.receive_until_complete(timeout)
    if ask:
        watcher.request_until_done(timeout)
    rows, unassigned = watcher.overview.rows(), watcher.overview.unassigned()
    if not complete and rows:
        print(f"not every device has told its health within {timeout:g} s", file=sys.stderr)
    chosen, at_least = choose(rows), not watcher.all_listed
    for row in chosen if as_json else ():
        print(msgspec.json.encode(row).decode())
    if not as_json:
        width = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
        table = (
            plain_table(chosen, unassigned, at_least)
            if width is None
            else fitted_table(chosen, width, unassigned, at_least)
        )
        print(encodable(table, sys.stdout.encoding or "ascii"))
    for text in anomaly_texts(rows, unassigned) if as_json else ():
        print(f"{text}: see docs/fleet.md", file=sys.stderr)
    _check_whole(watcher, len(rows), timeout)


def _check_whole(watcher: FleetWatch, shown: int, timeout: float) -> None:
    """Raise `EdgeError` if what was printed may be less than the whole."""
    from edge.contracts.errors import EdgeError
    from edge.fleet.fleet_watch import EMPTY_S

    for text in watcher.problems():
        print(text, file=sys.stderr)
    if not shown:
        raise EdgeError(
            f"no device was heard within {min(timeout, EMPTY_S):g} s",
            hint="is --root right, and may this account read there?",
        )
    if not watcher.all_listed:
        raise EdgeError(
            f"at least {shown} devices are there: the broker did not tell of all of them for certain",
            hint="a longer --timeout, or max_queued_messages at the broker; docs/fleet.md says how it is found out",
        )
