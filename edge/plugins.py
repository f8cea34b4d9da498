"""Plugins: finds sources, runtimes and sinks by the scheme of their URI; loads one only when it is named.

A plugin is an entry point in the group ``edge.sources``, ``edge.runtimes`` or ``edge.sinks``, whose name is the scheme:

    Source:   cls(uri: Uri, stream: StreamSettings)
    Runtime:  cls(uri: Uri, model_path: str | None, manifest: BundleManifest)
    Sink:     cls(settings: SinkSettings, identity: SinkIdentity)

``model_path`` names the bundle's bytes as they were checked, in sealed memory (``/proc/self/fd/N``): any library can
open it, and it holds while the string given is kept. It is an `edge.process.sealed_file.SealedFile`, which also knows
the file's own path (``origin``).
"""

from __future__ import annotations

from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Any, cast

from edge.config.uri import parse_uri
from edge.config.uri_suggestions import FOR_TESTS, suggestion
from edge.contracts.errors import UsageError

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

    from edge.config.settings import SinkSettings, StreamSettings
    from edge.contracts.manifest import BundleManifest
    from edge.contracts.ports import Runtime, Sink, SinkIdentity, Source


def schemes(kind: str) -> list[str]:
    """All schemes of ``kind`` (``sources``, ``runtimes``, ``sinks``), sorted."""
    return sorted({point.name for point in entry_points(group=f"edge.{kind}")})


def require(kind: str, scheme: str, uri: str = "") -> EntryPoint:
    """Entry point of the class behind ``scheme``, not loaded yet; raises `UsageError` if there is none.

    ``uri``: what was given, for a hint that fits.
    """
    found = [point for point in entry_points(group=f"edge.{kind}") if point.name == scheme]
    if not found:
        raise UsageError(
            f"no {kind.removesuffix('s')} is called {scheme}://", hint=unknown_scheme_hint(kind, uri or f"{scheme}://")
        )
    return found[0]


def unknown_scheme_hint(kind: str, uri: str) -> str:
    """Hint for a URI whose scheme nothing answers to: what was probably meant, and all that there is."""
    meant = suggestion(kind, uri)
    there = f"there are: {', '.join(name for name in schemes(kind) if name not in FOR_TESTS)}"
    return f"{meant} ({there})" if meant else there


def load(kind: str, scheme: str, uri: str = "") -> Any:
    """Load the class behind ``scheme``; raises `UsageError` if there is none, or if its library is not installed."""
    point = require(kind, scheme, uri)
    try:
        return point.load()
    except ImportError as error:
        raise UsageError(f"{scheme}:// cannot be loaded: {error}", hint="install what it needs, see README") from error


def make_source(stream: StreamSettings) -> Source:
    """Make the source of ``stream``, not opened yet."""
    uri = parse_uri(stream.source, "sources")
    return cast("Source", load("sources", uri.scheme, stream.source)(uri, stream))


def make_runtime(uri_text: str, model_path: str | None, manifest: BundleManifest) -> Runtime:
    """Make a runtime with the model loaded. Raises `ModelError` or `DeviceError` if it cannot be."""
    uri = parse_uri(uri_text, "runtimes")
    return cast("Runtime", load("runtimes", uri.scheme, uri_text)(uri, model_path, manifest))


def make_sink(settings: SinkSettings, identity: SinkIdentity) -> Sink:
    """Make a sink, not opened yet."""
    uri = parse_uri(settings.uri, "sinks")
    return cast("Sink", load("sinks", uri.scheme, settings.uri)(settings, identity))
