"""``edge-cli outbox``: shows, resends, exports and deletes the messages stored on the device."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from edge.cli.errors import printing, require_stdout
from edge.cli.output import print_json
from edge.cli.paths import unless_dash

if TYPE_CHECKING:
    from collections.abc import Iterator

    from edge.outbox.reader import OutboxReader

app = typer.Typer(
    help="""Look into the stored messages, have them sent again, take them out.

All but purge works beside a running daemon, and without one.

Example:
  edge-cli outbox status --state-dir /var/lib/sonoedge
  edge-cli outbox export --state-dir /var/lib/sonoedge --out findings.jsonl"""
)

StateDir = Annotated[Path | None, typer.Option(help="Where the outbox is; default: as for edge-cli run.")]
PAGE = 500


@app.command()
def status(
    state_dir: StateDir = None, as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False
) -> None:
    """Show how full the outbox is, what waits and what was given up.

    Example:
      edge-cli outbox status --state-dir /var/lib/sonoedge --json
    """
    import msgspec

    with _opened(state_dir) as outbox:
        state, depth = outbox.state(), outbox.depth()
        facts: dict[str, Any] = {
            "file": outbox.path.name,
            "epoch": state.epoch,
            "next_seq": state.next_seq,
            "oldest_kept": state.oldest_kept,
            "pending": depth.pending,
            "oldest_pending_age_s": round(depth.oldest_age_s, 1),
            "acked": outbox.kept_count() - depth.pending,
            "expired": state.expired,
            "bytes": depth.used_bytes,
            "set_aside": [path.name for path in _files(outbox.path.parent) if path != outbox.path],
        }
    if as_json:
        print_json(msgspec.json.encode(facts).decode())
        return
    facts["expired"] = ", ".join(f"{a}-{b}" for a, b in state.expired) or "none"
    facts["set_aside"] = ", ".join(facts["set_aside"]) or "none"
    for key, value in facts.items():
        print(f"{key.replace('_', ' '):<22}{'none' if value is None else value}")


@app.command()
def resend(
    epoch: Annotated[str, typer.Option(help="Of the messages; see edge-cli outbox status.")],
    first: Annotated[int, typer.Option("--from", help="Lowest seq.", min=1)],
    last: Annotated[int, typer.Option("--to", help="Highest seq, itself included.", min=1)],
    state_dir: StateDir = None,
) -> None:
    """Have stored messages sent again, to all receivers, marked as replayed.

    A running daemon begins at once (with an epoch that has ended within ten seconds), another one when it is started.

    Example:
      edge-cli outbox resend --epoch 6f1c7a52-0f0e-4c57-9f3e-1f6f0a4f7b11 --from 100 --to 250
    """
    from edge.contracts.errors import UsageError

    if last < first:
        raise UsageError(f"expected --to of at least {first}, got {last}", hint="the range is --from LOW --to HIGH")
    with _opened(state_dir, epoch=epoch, change=True) as outbox:
        done = outbox.resend(first, last)
    print(f"messages to be sent again: {done.queued}")
    if done.gone_count:
        ranges = ", ".join(f"{a}-{b}" for a, b in done.gone)
        print(f"not kept any more: {done.gone_count} ({ranges})", file=sys.stderr)


@app.command()
def export(
    out: Annotated[Path | None, typer.Option(help="File to write, readable by you only; default, -: stdout.")] = None,
    epoch: Annotated[str | None, typer.Option(help="Of a file that was set aside; default: the present.")] = None,
    first: Annotated[int, typer.Option("--from", help="Lowest seq.", min=1)] = 1,
    last: Annotated[int | None, typer.Option("--to", help="Highest seq; default: the newest.", min=1)] = None,
    pending: Annotated[bool, typer.Option("--pending", help="Only what not every receiver has.")] = False,
    state_dir: StateDir = None,
) -> None:
    """Write stored messages as JSON lines: seq, state, suffix of the topic, payload.

    Example:
      edge-cli outbox export --pending --out pending.jsonl
    """
    from edge.contracts.errors import DeviceError

    with _opened(state_dir, epoch=epoch) as outbox:
        lines = _lines(outbox, first, last, pending)
        out = unless_dash(out)
        if out is None:
            require_stdout()
            with printing():
                count = _write(lines, sys.stdout.buffer)
        else:
            try:
                handle = os.open(out, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
                with os.fdopen(handle, "wb") as file:
                    count = _write(lines, file)
            except OSError as error:
                hint = "name a new file, in a folder that can be written"
                raise DeviceError(f"{out}: {error.strerror or error}", hint=hint) from None
    print(f"messages: {count}", file=sys.stderr)


@app.command()
def purge(state_dir: StateDir = None, yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False) -> None:
    """Delete all stored messages, sent or not, and begin a new epoch. The daemon must not run.

    Example:
      edge-cli outbox purge --state-dir /var/lib/sonoedge --yes
    """
    from edge.app.state_dir import locked_state_dir
    from edge.config.load import default_state_dir
    from edge.contracts.errors import DeviceError, UsageError
    from edge.outbox import missed_health, schema

    folder = state_dir or default_state_dir()
    if not _files(folder):
        raise DeviceError(f"there is no outbox in {folder}", hint="name the daemon's folder with --state-dir DIR")
    with locked_state_dir(folder):
        if not yes:
            if not sys.stdin.isatty():
                raise UsageError("purge deletes what nobody else may have", hint="say so with --yes")
            typer.confirm(f"{_unsent(folder)} in {folder} and all others are deleted for good. Go on?", abort=True)
        try:
            deleted = schema.purge(folder / schema.FILE_NAME)
            missed_health.remove(folder)
        except (OSError, sqlite3.Error) as error:
            raise DeviceError(f"{folder}: {error}", hint="be the daemon's user, or root") from None
    with _opened(folder) as outbox:
        print(f"files deleted: {len(deleted)}; new epoch: {outbox.state().epoch}")


def _unsent(folder: Path) -> str:
    """How much that nobody has would go, in words."""
    try:
        with _opened(folder) as outbox:
            return f"{outbox.depth().pending} messages that were not sent"
    except Exception:  # it cannot be read, which may be why it is to go
        return "an unknown number of messages that were not sent"


def _write(lines: Iterator[bytes], file: Any) -> int:
    count = 0
    for line in lines:
        file.write(line)
        count += 1
    file.flush()
    return count


def _lines(outbox: OutboxReader, first: int, last: int | None, pending: bool) -> Iterator[bytes]:
    """Page by page: a long read in one would keep the daemon from tidying its journal."""
    end = outbox.next_seq() if last is None else last + 1
    while rows := outbox.kept(first, end, PAGE):
        for row, state in rows:
            if state == "pending" or not pending:
                head = b'{"seq":%d,"state":"%b","suffix":"%b","payload":'
                payload = b"null" if state == "damaged" else row.body
                yield head % (row.seq, state.encode(), row.suffix.encode()) + payload + b"}\n"
        first = rows[-1][0].seq + 1


def _files(folder: Path) -> list[Path]:
    """All outbox files in ``folder``, oldest first: those set aside, and the one in use."""
    from edge.outbox.schema import FILE_NAME, next_outbox_path

    found, path = [], folder / FILE_NAME
    while path.exists():
        found.append(path)
        path = next_outbox_path(path)
    return found


@contextlib.contextmanager
def _opened(state_dir: Path | None, epoch: str | None = None, change: bool = False) -> Iterator[OutboxReader]:
    """The outbox in use, or that of ``epoch``. Raises `DeviceError` if there is none, or none that can be read."""
    from edge.config.load import default_state_dir
    from edge.contracts.errors import DeviceError
    from edge.outbox.reader import OutboxReader

    folder = state_dir or default_state_dir()
    paths = _files(folder)
    if not paths:
        raise DeviceError(f"there is no outbox in {folder}", hint="name the daemon's folder with --state-dir DIR")
    for path in reversed(paths):
        try:
            outbox = OutboxReader(path, readonly=not change, newest=False, verify=path == paths[-1])
        except (sqlite3.Error, OSError) as error:
            if epoch is not None:
                continue
            raise DeviceError(
                f"{path} cannot be read: {error}",
                hint="be the daemon's user, or root; a damaged one it sets aside",
            ) from None
        try:
            if epoch is None or outbox.state().epoch == epoch:
                yield outbox
                return
        except sqlite3.Error as error:
            raise DeviceError(f"{path}: {error}", hint="a daemon sets a damaged outbox aside") from None
        finally:
            outbox.close()
    raise DeviceError(f"no outbox in {folder} is of epoch {epoch}", hint="see edge-cli outbox status")
