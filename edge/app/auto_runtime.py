"""Runtime ``auto://``: chooses the fastest runtime of this machine by a short trial of those that compute rightly.

    trial_s=2        seconds of measuring, all candidates together
    among=A,B        schemes to choose from; else all that are installed
    threads=1        of those that compute on the CPU

Each candidate runs in a process of its own, which may hang or crash without harm, and must pass the model's golden
vectors before its time counts. The choice is remembered in the state directory, and made anew when anything that it
rests on has changed: model, libraries, machine, kernel.
"""

from __future__ import annotations

import logging
import statistics
import time
from functools import partial
from typing import TYPE_CHECKING

import msgspec

from edge.app.auto_runtime_cache import (
    RuntimeChoice,
    RuntimeTrial,
    choice_basis,
    delete_choice,
    load_choice,
    store_choice,
)
from edge.config.load import default_state_dir
from edge.config.uri import parse_uri
from edge.contracts.errors import DeviceError, EdgeError, ModelError, UsageError
from edge.contracts.tensors import Tensor
from edge.models.bundle import load_bundle
from edge.pipeline.runtime_candidate import make_tested_runtime
from edge.pipeline.selftest import require_selftest
from edge.plugins import make_runtime, schemes
from edge.process.reaper import reaper
from edge.runtimes.isolated import IsolatedRuntime, refuse_if_stuck

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from edge.config.uri import Uri
    from edge.contracts.manifest import BundleManifest
    from edge.contracts.ports import Runtime
    from edge.models.bundle import Bundle

log = logging.getLogger(__name__)

SCHEME = "auto"
NOT_CANDIDATES = frozenset({SCHEME, "scripted"})
ON_THE_CPU = frozenset({"litert", "tflite-runtime", "onnx"})
"""Schemes that take the parameter ``threads``."""
FIRST = ("litert", "litert-gpu", "litert-npu")
"""Tried in this order before all others: of two that are equally fast the first is chosen."""
CLEARLY = 0.95
"""A later candidate must take less than this share of an earlier one's time."""
LEAST_RUNS = 3
"""Runs of each candidate, also where the time is up."""
ANSWER_S = 20.0
"""A candidate that has not answered by then is out."""


def make_auto(
    uri: Uri,
    bundle: Bundle,
    make: Callable[[str], Runtime],
    folder: Path,
    pin: Callable[[str], str] = lambda text: text,
) -> Runtime:
    """Make the fastest runtime, which has passed its self-test; its spec says why it was chosen.

    Args:
        uri: ``auto://…``.
        bundle: the model.
        make: makes a runtime of a URI, alone or isolated.
        folder: where the choice is remembered.
        pin: makes the URI that a candidate is tried with; one that it refuses, with an `EdgeError`, is out.

    Raises:
        UsageError: a parameter is unknown or not valid, ``among`` names a scheme that there is no plugin for.
        EdgeError: none of the candidates serves; what the first of them raised.
    """
    uris = candidates(uri)
    trial_s = uri.get("trial_s", _seconds, 2.0)
    rests_on = choice_basis(bundle.sha256, uris)
    known = load_choice(folder, rests_on)
    if known is not None:
        try:
            refuse_if_stuck(known.uri)
            return _made(known, bundle, make, "remembered")
        except (DeviceError, ModelError) as error:
            log.warning("auto: %s served when it was chosen, and does not now: %s", known.uri, error.message)
            delete_choice(folder)
    choice = choose(uris, bundle, trial_s, rests_on, pin)
    runtime = _made(choice, bundle, make, "chosen now")
    if not any(reaper.left_behind(text) for text in uris):  # else for now only: what is stuck may be the fastest
        store_choice(folder, choice)
    return runtime


def plugin(uri: Uri, model_path: str | None, manifest: BundleManifest) -> Runtime:
    """Plugin entry point: make the runtime from its URI alone. Raises as `make_auto`."""
    if model_path is None:
        raise ModelError(f"{SCHEME}:// needs a model", hint="give --model FILE, or use scripted:// without one")
    bundle = load_bundle(model_path)
    return make_auto(uri, bundle, lambda text: make_runtime(text, bundle.file, manifest), default_state_dir())


def candidates(uri: Uri) -> list[str]:
    """Candidate runtimes as URIs, in the order of preference. Raises `UsageError`."""
    uri.expect("trial_s", "among", "threads")
    threads = uri.get("threads", _threads, 1)
    known = [scheme for scheme in schemes("runtimes") if scheme not in NOT_CANDIDATES]
    among = [word.strip() for word in uri.params.get("among", ",".join(known)).split(",") if word.strip()]
    strange = [scheme for scheme in among if scheme not in known]
    if strange or not among:
        raise UsageError(
            f"{SCHEME}:// cannot choose {strange[0] if strange else 'among none'}",
            hint=f"there are: {', '.join(known)}",
        )
    order = sorted(among, key=lambda scheme: (FIRST.index(scheme) if scheme in FIRST else len(FIRST), scheme))
    return [f"{scheme}://?threads={threads}" if scheme in ON_THE_CPU else f"{scheme}://" for scheme in order]


def choose(
    uris: Sequence[str],
    bundle: Bundle,
    trial_s: float,
    rests_on: str,
    pin: Callable[[str], str] = lambda text: text,
) -> RuntimeChoice:
    """Try all runtimes of ``uris`` and choose one. Raises what the first of them raised if none serves."""
    ready: dict[str, Runtime] = {}
    refused: dict[str, EdgeError] = {}
    try:
        for text in uris:
            try:
                refuse_if_stuck(text)
                ready[text] = make_tested_runtime(
                    partial(IsolatedRuntime, pin(text), bundle.file, bundle.manifest), partial(require_selftest, bundle)
                )
            except EdgeError as error:  # noqa: PERF203  (a handful, once)
                refused[text] = error
        times = measure(ready, bundle, trial_s, refused)
    finally:
        for runtime in ready.values():
            runtime.close()
    if not times:
        raise refused[uris[0]]
    best = min(times, key=lambda text: statistics.median(times[text]))
    limit = statistics.median(times[best]) / CLEARLY
    best = next(text for text in times if statistics.median(times[text]) <= limit)
    trials = [
        RuntimeTrial(uri=text, ms=round(statistics.median(times[text]) * 1e3, 2), runs=len(times[text]))
        if text in times
        else RuntimeTrial(uri=text, refused=refused[text].message)
        for text in uris
    ]
    return RuntimeChoice(basis=rests_on, uri=best, trials=trials)


def measure(
    ready: dict[str, Runtime], bundle: Bundle, trial_s: float, refused: dict[str, EdgeError]
) -> dict[str, list[float]]:
    """Measure the seconds of each run, in turns, so that whatever else the machine does slows all alike.

    One that fails is moved to ``refused``.
    """
    times: dict[str, list[float]] = {text: [] for text in ready}
    tensor = Tensor(bundle.golden.tensors[:1], bundle.manifest.input)
    deadline = time.monotonic() + trial_s
    runs = 0
    while times and (runs < LEAST_RUNS or time.monotonic() < deadline):
        runs += 1
        for text in list(times):
            began = time.monotonic()
            try:
                ready[text].submit(tensor)
                if ready[text].wait(ANSWER_S) is None:
                    raise DeviceError(f"no answer within {ANSWER_S:.0f} s")
            except EdgeError as error:
                refused[text] = error
                del times[text]
                continue
            times[text].append(time.monotonic() - began)
    return times


def _made(choice: RuntimeChoice, bundle: Bundle, make: Callable[[str], Runtime], when: str) -> Runtime:
    runtime = make_tested_runtime(partial(make, choice.uri), partial(require_selftest, bundle))
    why = f"{when}: {choice.why}"
    runtime.spec = msgspec.structs.replace(runtime.spec, chosen=why)
    log.info("auto: %s", why)
    return runtime


def is_auto(text: str) -> bool:
    """Whether ``text`` is an ``auto://`` URI."""
    return parse_uri(text).scheme == SCHEME


def _seconds(text: str) -> float:
    if not 0 < (value := float(text)) <= 60:
        raise ValueError(text)
    return value


def _threads(text: str) -> int:
    if (value := int(text)) < 1:
        raise ValueError(text)
    return value
