"""``edge-cli run``: the daemon."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer


def command(
    source: Annotated[list[str] | None, typer.Option(help="URI of a source; may be given again.")] = None,
    sink: Annotated[list[str] | None, typer.Option(help="URI of a receiver; may be given again.")] = None,
    runtime: Annotated[str | None, typer.Option(help="URI of the runtime.")] = None,
    model: Annotated[Path | None, typer.Option(help="Model bundle; default: the one that ships.")] = None,
    site: Annotated[str | None, typer.Option(help="Name of the site, in every topic.")] = None,
    device: Annotated[str | None, typer.Option(help="Name of this device, in every topic.")] = None,
    state_dir: Annotated[Path | None, typer.Option(help="Where the outbox is kept.")] = None,
    config: Annotated[Path | None, typer.Option(help="TOML file; see edge-cli config init.")] = None,
    drain_timeout: Annotated[
        float | None, typer.Option(help="Seconds that receivers have, at the end, to take what is left.")
    ] = None,
) -> int:
    """Run the daemon: frames in, findings out, until stopped.

    Stops at SIGTERM or Ctrl-C, or when all its sources are files and have ended; then receivers are given the drain
    time. What they did not take stays in the state directory and is sent the next time.

    Example:
      edge-cli run --source 'phantom://?seed=1' --sink mqtt://localhost:1883 --state-dir /tmp/edge
    """
    import os

    from edge.app.logs import set_up_logs
    from edge.app.settings import complete, streams_from, sinks_from
    from edge.app.state_dir import locked_state_dir
    from edge.config.load import load_settings
    from edge.daemon.supervisor import run_daemon

    flags: dict[str, Any] = {
        "site": site,
        "device": device,
        "state_dir": state_dir and str(state_dir),
        "model": model and str(model),
        "drain_timeout_s": drain_timeout,
        "runtime": runtime and {"uri": runtime},
        "streams": source and streams_from(source),
        "sinks": sink and sinks_from(sink),
    }
    settings = load_settings(config, os.environ, {key: value for key, value in flags.items() if value is not None})
    set_up_logs(settings.log)
    return 0
