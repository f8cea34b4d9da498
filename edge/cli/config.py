"""``edge-cli config``: writes, shows and checks the configuration file."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edge.cli.errors import require_stdout
from edge.cli.output import print_json
from edge.cli.paths import one_of, unless_dash

if TYPE_CHECKING:
    from collections.abc import Iterator

    from edge.config.settings import Settings
    from edge.config.toml_lines import KeyPath
    from edge.config.validate import SettingsProblem

app = typer.Typer(
    help="""Write, show and check the configuration.

A TOML file, the environment (EDGE_RUNTIME__URI=…) and flags make the settings; what comes later wins.

Example:
  edge-cli config init --out edge.toml
  edge-cli config check edge.toml"""
)


@app.command()
def init(
    out: Annotated[Path | None, typer.Option(help="File to write; default, or -: stdout.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Write over an existing file.")] = False,
) -> None:
    """Write a file with every setting, its meaning and its default.

    Example:
      edge-cli config init --out edge.toml
    """
    from edge.config.config_template import config_template
    from edge.contracts.errors import ConfigError

    out = unless_dash(out)
    if out is None:
        require_stdout()
        print(config_template(), end="")
        return
    try:
        with out.open("w" if force else "x", encoding="utf-8") as file:
            file.write(config_template())
    except FileExistsError:
        raise ConfigError(f"{out} exists already", hint="name another file, or add --force to write over it") from None
    except OSError as error:
        raise ConfigError(f"{out}: {error.strerror or error}", hint="name a file that can be written") from None
    print(f"{out} written; next: edge-cli config check {out}", file=sys.stderr)


@app.command()
def show(
    file: Annotated[Path | None, typer.Argument(help="TOML file; - for stdin.", show_default=False)] = None,
    config: Annotated[Path | None, typer.Option(help="The same, as other commands take it; default: none.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
) -> None:
    """Show the settings that hold, and where each came from.

    The environment counts; passwords in URIs are masked.

    Example:
      EDGE_SITE=clinic-a edge-cli config show --json
    """
    import msgspec

    from edge.config.effective_settings import masked_settings, setting_origins, settings_as_toml
    from edge.config.load import default_device_name, default_state_dir, load_settings, try_loading

    path = one_of(file, config, "--config")
    loaded = try_loading(path, os.environ, {})
    settings = loaded.settings or load_settings(path, os.environ)  # the latter raises the first problem
    if as_json:
        data = {"settings": masked_settings(settings), "origins": setting_origins(settings, loaded.layers)}
        print_json(msgspec.json.format(msgspec.json.encode(data)).decode())
        return
    require_stdout()
    print(settings_as_toml(settings, loaded.layers), end="")
    if settings.device is None:
        print(f"\n# device is not set: the host name makes it {default_device_name()!r}")
    if settings.state_dir is None:
        print(f"# state_dir is not set: for this user it is {default_state_dir()}")


@app.command()
def check(
    file: Annotated[Path | None, typer.Argument(help="TOML file; - for stdin.", show_default=False)] = None,
    config: Annotated[Path | None, typer.Option(help="The same, as other commands take it.")] = None,
) -> int:
    """Check a file, without the environment: every error with its line, then what may not work here.

    Exit code 3 if there is an error; warnings do not count.

    Example:
      edge-cli config check edge.toml
      edge-cli config check --config edge.toml
      edge-cli config init | edge-cli config check -
    """
    from edge.cli.errors import one_line, print_error
    from edge.config.consistency import find_warnings
    from edge.config.load import as_config_error, try_loading
    from edge.contracts.errors import ConfigError, UsageError

    path = one_of(file, config, "--config")
    if path is None:
        raise UsageError("Missing argument 'FILE'", hint="see edge-cli config check --help")
    loaded = try_loading(path, {}, {})
    problems, settings = loaded.problems, loaded.settings
    if settings is not None:
        problems = [as_config_error(loaded.layers, fault) for fault in _unknown_schemes(settings)]
        for fault in (*find_warnings(settings), *_unsigned_files(settings)):
            warning = as_config_error(loaded.layers, fault)
            print(f"warning: {one_line(warning.message)} ({one_line(warning.hint)})", file=sys.stderr)
    for problem in problems:
        print_error(problem.message, problem.hint)
    if settings is None or problems:
        return ConfigError.exit_code
    print(f"{path}: OK (streams: {len(settings.streams)}, sinks: {len(settings.sinks)})")
    return 0


def _unknown_schemes(settings: Settings) -> Iterator[SettingsProblem]:
    """URIs that no installed plugin answers to."""
    from edge.config.descriptions import dotted_path
    from edge.config.uri import parse_uri
    from edge.config.validate import SettingsProblem
    from edge.plugins import schemes, unknown_scheme_hint

    places: list[tuple[str, KeyPath, str]] = [
        ("sources", ("streams", i, "source"), stream.source) for i, stream in enumerate(settings.streams)
    ]
    places += [("sinks", ("sinks", i, "uri"), sink.uri) for i, sink in enumerate(settings.sinks)]
    for kind, path, uri in [*places, ("runtimes", ("runtime", "uri"), settings.runtime.uri)]:
        scheme, known = parse_uri(uri).scheme, schemes(kind)
        if scheme not in known:
            message = f"{dotted_path(path)}: no {kind.removesuffix('s')} is called {scheme}://"
            yield SettingsProblem(path, message, unknown_scheme_hint(kind, uri))


def _unsigned_files(settings: Settings) -> Iterator[SettingsProblem]:
    """The model, and what runtimes load beside it, as far as their signatures would keep a daemon from starting."""
    from edge.config.validate import SettingsProblem
    from edge.contracts.errors import EdgeError
    from edge.models.bundle import SHIPPED_BUNDLE
    from edge.models.bundle_file import seal_model
    from edge.models.signature import SignaturePolicy, check_signature
    from edge.runtimes.auxiliary_files import pin_files

    policy = SignaturePolicy(tuple(settings.model_keys), settings.require_signed_model)
    model = Path(settings.model or SHIPPED_BUNDLE)
    if (policy.keys or policy.required) and model.is_file():
        try:
            check_signature(model, seal_model(model).sha256, policy)
        except EdgeError as error:
            yield SettingsProblem(("model",), f"model: {error.message}", error.hint)
    uris: list[tuple[KeyPath, str]] = [(("runtime", "uri"), settings.runtime.uri)]
    uris += [(("runtime", "fallback"), uri) for uri in settings.runtime.fallback]
    for path, uri in uris:
        try:
            pin_files(uri, model, policy)
        except EdgeError as error:  # noqa: PERF203  (a handful, once)
            yield SettingsProblem(path, f"{'.'.join(map(str, path))}: {error.message}", error.hint)


@app.command()
def schema() -> None:
    """Print the JSON Schema of the configuration, for editors.

    Example:
      edge-cli config schema > edge.schema.json
    """
    from edge.schema.json_schema import as_text, settings_schema

    print_json(as_text(settings_schema()).rstrip("\n"))
