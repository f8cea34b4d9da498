"""``edge-cli run``: starts the daemon and runs it until it is stopped."""

from __future__ import annotations

import logging
import uuid
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
import typer

if TYPE_CHECKING:
    from edge.config.settings import Settings
    from edge.daemon.job import DaemonJob

log = logging.getLogger(__name__)

MIN_TOKEN = 16
"""Fewest characters of the page's token."""


def command(
    source: Annotated[list[str] | None, typer.Option(help="URI of a source; may be given again.")] = None,
    sink: Annotated[list[str] | None, typer.Option(help="URI of a receiver; may be given again.")] = None,
    runtime: Annotated[str | None, typer.Option(help="URI of the runtime.")] = None,
    model: Annotated[Path | None, typer.Option(help="Model bundle; default: the one that ships.")] = None,
    site: Annotated[str | None, typer.Option(help="Name of the site, in every topic.")] = None,
    device: Annotated[str | None, typer.Option(help="Name of this device, in every topic.")] = None,
    state_dir: Annotated[Path | None, typer.Option(help="Where the outbox is kept.")] = None,
    config: Annotated[Path | None, typer.Option(help="TOML file; see edge-cli config init.")] = None,
    allow_no_gate: Annotated[
        bool, typer.Option("--allow-no-gate", help="Allow a model without an anatomy gate (gate.none_allowed).")
    ] = False,
    view: Annotated[
        bool, typer.Option("--view", help="Show what is found on a page in the browser (view.enabled).")
    ] = False,
    drain_timeout: Annotated[
        float | None, typer.Option(help="Seconds that receivers have, at the end, to take what is left.")
    ] = None,
) -> int:
    """Run the daemon: frames in, findings out, until stopped.

    Stops within 2 s at SIGTERM or Ctrl-C, or when all its sources are files and have ended; then receivers are given
    the drain time. What they did not take is kept and sent the next time. SIGHUP reloads the configuration.

    Exit code 0: stopped, or all that its files hold was judged and delivered; 5: a file or frame got no result, and the
    log says which; 6: not everything was delivered.

    Example:
      edge-cli run --source 'phantom://?seed=1' --sink mqtt://localhost:1883 --state-dir /tmp/edge
    """
    from edge.app.state_dir import new_state_dir
    from edge.config.load import streams_from_sources
    from edge.daemon.supervisor.supervisor import supervise

    flags = {
        "site": site,
        "device": device,
        "state_dir": state_dir,
        "model": model,
        "drain_timeout_s": drain_timeout,
        "gate.none_allowed": True if allow_no_gate else None,
        "view.enabled": True if view else None,
        "runtime.uri": runtime,
        "streams": streams_from_sources(source) if source else None,
        "sinks": [{"uri": uri} for uri in sink] if sink else None,
    }
    job = (load_job := partial(make_job, config, flags, str(uuid.uuid4())))()
    with new_state_dir(Path(job.state_dir)) as (lock, confirm):
        require_unused_files(job.settings)  # after the lock: another daemon of this directory holds them, too
        return supervise(job, load_job, lock.check, confirm)


def make_job(config: Path | None, flags: dict[str, Any], run_id: str) -> DaemonJob:
    """Job of the daemon: its settings, read now, with the defaults of this machine.

    Raises:
        EdgeError: the settings are wrong, name no source, or want what is not installed here.
    """
    from edge.app.logs import set_up_logs
    from edge.config.load import default_device_name, default_state_dir, load_settings
    from edge.contracts.errors import UsageError
    from edge.daemon.job import DaemonJob
    from edge.process.cores import allowed_cores, fit_affinity, missing_cores

    settings = load_settings(config, overrides=flags)
    if not settings.streams:
        raise UsageError("there is no source to take frames from", hint="for example --source 'phantom://?seed=1'")
    require_plugins(settings)
    settings = msgspec.structs.replace(
        settings,
        device=settings.device or default_device_name(),
        state_dir=settings.state_dir or str(default_state_dir()),
    )
    set_up_logs(settings.log)
    there = allowed_cores()
    if missing := missing_cores(settings.affinity, there):
        log.warning("affinity asks for cores %s, but there are %s; they are left out", missing, there)
    return DaemonJob(
        settings=settings,
        run_id=run_id,
        affinity=fit_affinity(settings.affinity, there),
        view=settings.view.enabled,
    )


def require_unused_files(settings: Settings) -> None:
    """Require that no other process writes what our sinks write. Raises `SinkError`, or `ConfigError`: two are one."""
    from edge.config.uri import parse_uri

    sinks = [sink for sink in settings.sinks if parse_uri(sink.uri).scheme == "jsonl"]
    if sinks:
        from edge.sinks.jsonl import require_unused

        require_unused(sinks)


def require_viewer(settings: Settings) -> None:
    """Require what the page needs: its libraries, and files that can be read. Raises `ConfigError`."""
    from importlib.util import find_spec

    from edge.contracts.errors import ConfigError
    from edge.process.install import install_command

    missing = [name for name in ("starlette", "uvicorn", "websockets") if find_spec(name) is None]
    if missing:
        raise ConfigError(
            f"the page needs {', '.join(missing)}, which is not installed",
            hint=f"{install_command('viewer')}, or leave --view (view.enabled) out",
        )
    for name in ("token_file", "cert_file", "key_file"):
        file = getattr(settings.view, name)
        try:
            content = Path(file).read_bytes() if file is not None else b"-"
        except OSError as error:
            message = f"view.{name} {file} cannot be read: {error.strerror}"
            raise ConfigError(message, hint="edge-cli view init makes these files") from None
        if name == "token_file" and file is not None and len(content.split(b"\n")[0].strip()) < MIN_TOKEN:
            raise ConfigError(
                f"view.token_file {file}: a token has {MIN_TOKEN} characters or more",
                hint="edge-cli view init makes one",
            )


def require_plugins(settings: Settings) -> None:
    """Require plugins for all URIs: raise `UsageError` for an unknown scheme, `SinkError` for unusable key files."""
    from edge.config.uri import parse_uri

    if settings.view.enabled:
        require_viewer(settings)
    from edge.contracts.errors import UsageError
    from edge.plugins import require

    require("runtimes", parse_uri(settings.runtime.uri).scheme, settings.runtime.uri)
    for stream in settings.streams:
        require("sources", parse_uri(stream.source).scheme, stream.source)
    for sink in settings.sinks:
        scheme = parse_uri(sink.uri).scheme
        require("sinks", scheme, sink.uri)
        if scheme == "memory":
            raise UsageError("memory:// is for tests: what it takes is gone", hint="for example --sink jsonl:///file")
        if scheme in ("mqtt", "mqtts"):
            from edge.sinks.mqtt.credentials import read_credentials

            # A certificate or password file that cannot be used is said now, once, and not by a child.
            read_credentials(sink)
        if scheme == "jsonl":
            from edge.sinks.jsonl import require_writable

            require_writable(sink)
