"""Checks of the runtimes, installed or configured: each is made, tested and closed in a child process of its own.

``auto://`` is no runtime but a choice among them: it is tried where it is configured, and remembers nothing then.
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from edge.app.auto_runtime import SCHEME as AUTO
from edge.app.auto_runtime import is_auto, make_auto
from edge.app.compose import choose_model
from edge.config.uri import parse_uri
from edge.contracts.errors import DeviceError, EdgeError, ModelError, UsageError
from edge.contracts.tensors import Tensor
from edge.doctor.check import Check, absent, ok, warning, wrong_from_error
from edge.models.scripted_manifest import scripted_manifest
from edge.pipeline.selftest import TIMEOUT_S, require_selftest
from edge.plugins import schemes
from edge.runtimes.isolated import IsolatedRuntime

if TYPE_CHECKING:
    from collections.abc import Iterator

    from edge.app.compose import RuntimeModel
    from edge.config.settings import Settings
    from edge.contracts.ports import Runtime
    from edge.contracts.tensors import RuntimeSpec

GROUP = "runtimes"


def check_runtimes(settings: Settings) -> Iterator[Check]:
    """Check the model, then the configured runtime and its fall-backs, then all other installed runtimes."""
    try:
        model = choose_model(settings)
    except EdgeError as error:
        yield wrong_from_error(GROUP, "model", error)
        return
    yield ok(GROUP, "model", f"{model.ref.name} {model.ref.version}, sha256 {model.ref.sha256[:16]}")
    configured = [settings.runtime.uri, *settings.runtime.fallback]
    results = [_try(uri, model) for uri in configured]
    works = [isinstance(result, str) for result in results]
    for place, (uri, result) in enumerate(zip(configured, results, strict=True)):
        yield _of_configured(uri, result, fallback=place > 0, others=any(works[:place] + works[place + 1 :]))
    tried = {AUTO, *(parse_uri(uri).scheme for uri in configured)}
    for scheme in schemes("runtimes"):
        if scheme not in tried:
            yield _of_other(f"{scheme}://", _try(f"{scheme}://", model))


def _try(uri: str, model: RuntimeModel) -> str | EdgeError:
    """What to say of a runtime that works; else the error that says why it does not."""
    try:
        scripted = parse_uri(uri).scheme == "scripted"
        manifest = scripted_manifest() if scripted else model.manifest
        began = time.monotonic()
        runtime = (
            _choose(uri, model)
            if is_auto(uri)
            else IsolatedRuntime(model.pinned(uri), None if scripted else model.path, manifest)
        )
        try:
            loaded_s = time.monotonic() - began
            proof = _invoke(runtime) if scripted or model.bundle is None else _replay(runtime, model)
            return f"{_named(runtime.spec)}: {proof}; loaded in {loaded_s:.1f} s"
        finally:
            runtime.close()
    except EdgeError as error:
        return error


def _choose(uri: str, model: RuntimeModel) -> Runtime:
    if model.bundle is None:
        raise ModelError(f"{uri} needs a model", hint="set model, or leave it to the one that ships")
    with tempfile.TemporaryDirectory() as folder:
        return make_auto(
            parse_uri(uri),
            model.bundle,
            lambda chosen: IsolatedRuntime(model.pinned(chosen), model.path, model.manifest),
            Path(folder),
            model.pinned,
        )


def _replay(runtime: Runtime, model: RuntimeModel) -> str:
    assert model.bundle is not None  # noqa: S101  (the caller has looked)
    report = require_selftest(model.bundle, runtime)
    worst = max(report.worst.values(), default=0)
    same = "exactly" if worst == 0 else f"within {worst} of {report.allowed} steps allowed"
    if report.float_worst:
        same = f"within {max(report.float_worst.values()):.2g} of {max(report.float_limits.values()):.2g} allowed"
    return f"{report.cases} golden vectors come out {same}"


def _invoke(runtime: Runtime) -> str:
    spec = runtime.spec.input
    runtime.submit(Tensor(np.zeros(spec.shape, spec.dtype), spec))
    if runtime.wait(TIMEOUT_S) is None:
        raise DeviceError(f"no answer within {TIMEOUT_S:.0f} s", hint="try another runtime")
    return "answers (it computes nothing that could be compared)"


def _named(spec: RuntimeSpec) -> str:
    parts = [f"{spec.name} {spec.version}"]
    if spec.delegate:
        parts.append(spec.delegate)
    if spec.placement is not None:
        parts.append(f"{spec.placement.delegated_ops} of {spec.placement.ops} operators")
    if spec.chosen:
        parts.append(spec.chosen)
    return ", ".join(parts)


def _of_configured(uri: str, result: str | EdgeError, *, fallback: bool, others: bool) -> Check:
    if isinstance(result, str):
        return ok(GROUP, uri, result + " (fall-back)" * fallback)
    if others:
        role = "this fall-back would not work" if fallback else "a fall-back takes over"
        return warning(GROUP, uri, f"{result.message}; {role}", result.hint or "see the log")
    return wrong_from_error(GROUP, uri, result)


def _of_other(uri: str, result: str | EdgeError) -> Check:
    if isinstance(result, str):
        return ok(GROUP, uri, result)
    if isinstance(result, (ModelError, UsageError)):  # it is there; it cannot do this, or wants to be told more
        return absent(GROUP, uri, f"not usable as it is: {result.message}", result.hint)
    return absent(GROUP, uri, result.message, result.hint)
