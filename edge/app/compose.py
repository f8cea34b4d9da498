"""Makes model, runtime, guard and analyser from the settings; a runtime is tested before it is trusted."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from edge.app.auto_runtime import is_auto, make_auto
from edge.config.load import default_state_dir
from edge.config.uri import parse_uri
from edge.contracts.errors import ModelError, UsageError
from edge.contracts.finding import ModelRef
from edge.models.bundle import load_bundle
from edge.models.scripted_manifest import SCRIPTED_SHA256, scripted_manifest
from edge.models.signature import NO_KEYS, SignaturePolicy
from edge.pipeline.analyser import Analyser
from edge.pipeline.guard import RuntimeGuard
from edge.pipeline.runtime_history import RuntimeHistory
from edge.pipeline.selftest import require_selftest
from edge.plugins import make_runtime, schemes, unknown_scheme_hint
from edge.runtimes.auxiliary_files import MissingFileError, pin_files
from edge.runtimes.clip_step import make_clip_step
from edge.runtimes.isolated import IsolatedRuntime

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from edge.config.settings import Settings
    from edge.contracts.clip_model import RecurrentStep
    from edge.contracts.manifest import BundleManifest
    from edge.contracts.ports import Runtime
    from edge.models.bundle import Bundle
    from edge.process.shared_notes import SharedNotes


@dataclass(frozen=True, slots=True)
class RuntimeModel:
    """The model that a runtime is made from. ``bundle`` is None for ``scripted://`` without a model."""

    manifest: BundleManifest
    ref: ModelRef
    bundle: Bundle | None
    policy: SignaturePolicy = NO_KEYS
    """Of the bundle, and of all that a runtime loads beside it."""
    _pinned: dict[str, str] = field(default_factory=dict, repr=False)

    @property
    def path(self) -> str | None:
        """Path of the bundle's bytes as they were checked, see `SealedFile`; None without a bundle."""
        return None if self.bundle is None else self.bundle.file

    def pinned(self, uri: str) -> str:
        """The runtime URI with the hash of each file beside the bundle, where signatures are required; else as it is.

        Files are verified once: what replaces a runtime loads the same bytes, or nothing. Raises as `pin_files`.
        """
        if uri not in self._pinned:
            beside = None if self.bundle is None else self.bundle.path
            self._pinned[uri] = pin_files(uri, beside, self.policy)
        return self._pinned[uri]


def choose_model(settings: Settings) -> RuntimeModel:
    """Load the model: the configured bundle, else the one that ships, else (for ``scripted://``) none.

    Raises `ModelError` if the bundle is broken, not signed as the settings want it, or without an anatomy gate though
    they do not allow that.
    """
    uris = (settings.runtime.uri, *settings.runtime.fallback)
    if settings.model is None and all(parse_uri(uri).scheme == "scripted" for uri in uris):
        manifest = scripted_manifest()
        ref = ModelRef(name=manifest.name, version=manifest.version, sha256=SCRIPTED_SHA256)
        return RuntimeModel(manifest, ref, None)
    policy = SignaturePolicy(tuple(settings.model_keys), settings.require_signed_model)
    bundle = load_bundle(settings.model, policy)
    require_gate(settings, bundle.manifest)
    return RuntimeModel(bundle.manifest, bundle.model_ref(), bundle, policy)


def require_gate(settings: Settings, manifest: BundleManifest) -> None:
    """Raise `ModelError` for a model without an anatomy gate, unless the settings allow it."""
    if manifest.gate == "none" and not settings.gate.none_allowed:
        raise ModelError(
            f"{manifest.name} has no anatomy gate: it gives a label to whatever is in the picture",
            hint="allow it with [gate] none_allowed = true, EDGE_GATE__NONE_ALLOWED=true or --allow-no-gate; "
            "all that it sends then says gate: none",
        )


def clip_step_of(settings: Settings, model: RuntimeModel) -> RecurrentStep | None:
    """Make the recurrent step of the model's bundle, proven by its golden sequence; None where there is none.

    What ``scripted://`` answers is written, and no step learnt from it. Raises as `make_clip_step`.
    """
    if model.bundle is None or model.bundle.clip is None or parse_uri(settings.runtime.uri).scheme == "scripted":
        return None
    return make_clip_step(model.bundle.clip)


def runtime_maker(
    settings: Settings, model: RuntimeModel, *, isolated: bool, cores: Sequence[int] = ()
) -> Callable[[str], Runtime]:
    """Returns a function that makes a runtime, with the model loaded, from its URI. Arguments as `make_guard`.

    The runtime has passed no test yet.
    """
    folder = Path(settings.state_dir) if settings.state_dir else default_state_dir()

    def make(uri: str) -> Runtime:
        if is_auto(uri) and model.bundle is not None:
            return make_auto(parse_uri(uri), model.bundle, make, folder, model.pinned)
        if isolated:
            return IsolatedRuntime(model.pinned(uri), model.path, model.manifest, cores)
        return make_runtime(model.pinned(uri), model.path, model.manifest)

    return make


def make_guard(
    settings: Settings,
    model: RuntimeModel,
    *,
    isolated: bool,
    cores: Sequence[int] = (),
    notes: SharedNotes | None = None,
) -> RuntimeGuard:
    """Make a guarded runtime that has passed its self-test: the configured one, else a fall-back.

    ``cores``: those that an isolated one keeps to; empty: all that we may use ourselves. ``notes``: what the last frame
    process of this run has written down, and what this one writes to: which runtimes failed.

    Raises what the configured runtime or its test raises, `UsageError` for a fall-back that there is no plugin for,
    `ModelError` for any of them that would load an unsigned file, where signatures are required.
    """
    known = schemes("runtimes")
    for uri in settings.runtime.fallback:  # now, not in the night when it is needed
        if parse_uri(uri).scheme not in known:
            raise UsageError(
                f"no runtime is called {parse_uri(uri).scheme}://, which is to be a fall-back",
                hint=unknown_scheme_hint("runtimes", uri),
            )

    for uri in (settings.runtime.uri, *settings.runtime.fallback):
        if not is_auto(uri):
            with suppress(MissingFileError):  # met again when it is made, and fallen back from
                model.pinned(uri)
    make = runtime_maker(settings, model, isolated=isolated, cores=cores)

    def test(runtime: Runtime) -> None:
        # The scripted runtime computes nothing that a golden vector could be compared with.
        if model.bundle is not None and runtime.spec.family != "scripted":
            require_selftest(model.bundle, runtime)

    uris = (settings.runtime.uri, *settings.runtime.fallback)
    makers = [partial(make, uri) for uri in uris]
    history = RuntimeHistory(uris, notes, in_process=not isolated)
    return RuntimeGuard(makers, test, settings.runtime.timeout_s, settings.runtime.probe_s, history)


def make_analyser(settings: Settings, *, isolated: bool = False) -> Analyser:
    """Make the analyser (preprocessing, runtime, decision) from the settings, ready. Close it when done."""
    model = choose_model(settings)
    step = clip_step_of(settings, model)
    return Analyser(model.manifest, make_guard(settings, model, isolated=isolated), step)
