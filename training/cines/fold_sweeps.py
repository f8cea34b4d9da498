"""Sweeps of the first maker over pictures out of fold: each is judged by the fold model that never saw its patient.

What is fitted on their answers, learns from what a model says of strangers, not of what it learnt by heart. Patients
that the shipped model did not learn from are left out: their sweeps judge.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import msgspec

from edge.config.uri import parse_uri
from edge.contracts.errors import ConfigError
from edge.contracts.manifest import ANATOMY
from edge.models.bundle import load_bundle
from edge.pipeline.analyser import Analyser
from edge.pipeline.guard import RuntimeGuard
from edge.process.sealed_file import seal_bytes
from edge.runtimes.litert import make_litert
from training.breast import protocol
from training.cines.answers import answer_sweeps, read_answers
from training.cines.first_maker import make_cine
from training.cines.stills import still_of, window_beside
from training.cines.sweeps import Sweep
from training.datasets import BUSI, FOLDS, UNLABELLED

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from edge.contracts.ports import Runtime
    from training.cines.answers import CineAnswers
    from training.cines.cine import Still
    from training.datasets import Item

RATE = 15
"""Frames a second: the step of `edge.pipeline.clip_states` takes no more."""
LESION_S, FREE_S = 8.0, 12.0
LESIONS, WINDOWS = 20, 4
"""Patients with a lesion of each fold, and windows beside lesions; of healthy breasts all are swept."""


def fold_file(folder: Path, fold: int) -> Path:
    """Path of the answers for one fold's sweeps."""
    return folder / f"out-of-fold-{fold}.jsonl"


def read_fold_answers(folder: Path) -> dict[int, list[CineAnswers]]:
    """Answers for all folds that are there, by fold. Raises ConfigError where there are none."""
    found = {fold: read_answers(fold_file(folder, fold)) for fold in range(1, FOLDS + 1)}
    found = {fold: cines for fold, cines in found.items() if cines}
    if not found:
        raise ConfigError(
            f"{folder} has no answers out of fold", hint="make them: python -m training video runs/cv --data DATA"
        )
    return found


def answer_fold_sweeps(
    run: Path, items: Sequence[Item], out: Path, folds: Sequence[int], say: Callable[[str], None]
) -> dict[int, list[CineAnswers]]:
    """Answers for the sweeps of some folds; what ``out`` keeps already is not asked for again."""
    held = {item.group for item in protocol.assign_splits("all", items) if item.split == "val"}
    found = {}
    for fold in folds:
        graph = run / f"fold-{fold}" / "int8.tflite"
        if not graph.is_file():
            raise ConfigError(f"there is no {graph}", hint=f"quantise the folds: python -m export quantise-folds {run}")
        sweeps = fold_sweeps([item for item in items if item.fold == fold and item.group not in held])
        found[fold] = answer_sweeps(fold_file(out, fold), sweeps, make_cine, partial(fold_analyser, graph), say)
    return found


def fold_sweeps(items: Sequence[Item]) -> list[Sweep]:
    """Sweeps over one fold's test pictures, lesions and lesion-free tissue in turn."""
    lesions = _first_of_each([item for item in items if item.label != UNLABELLED])
    healthy = _first_of_each([item for item in items if item.label == UNLABELLED])
    hard = [item for item in lesions if item.source == BUSI][: LESIONS // 3]
    others = [item for item in lesions if item.source != BUSI]
    wanted = min(LESIONS - len(hard), len(others))
    chosen = [*hard, *(others[k * len(others) // wanted] for k in range(wanted))]
    windows = [window for item in chosen if (window := window_beside(item)) is not None][:WINDOWS]
    free: list[Still] = [*(still_of(item) for item in healthy), *windows]
    sweeps = [Sweep(still_of(item), number, LESION_S, RATE) for number, item in enumerate(chosen)]
    empty = [Sweep(still, 500 + number, FREE_S, RATE) for number, still in enumerate(free)]
    order = sorted((k / len(group), n, k) for n, group in enumerate((sweeps, empty)) for k in range(len(group)))
    return [(sweeps, empty)[n][k] for _, n, k in order]


def fold_analyser(graph: Path) -> Analyser:
    """Analyser with a fold's quantised model, and calibration and thresholds of the one that ships.

    A fold's model has no anatomy gate: all that its pixels let pass is judged.
    """
    manifest = load_bundle(None).lesion_manifest
    heads = {name: head for name, head in manifest.heads.items() if name != ANATOMY}
    bare = msgspec.structs.replace(manifest, heads=heads)
    sealed = seal_bytes(graph.read_bytes(), graph)

    def make() -> Runtime:
        return make_litert(parse_uri("litert://?threads=1"), sealed, bare)

    return Analyser(bare, RuntimeGuard([make], lambda _: None, timeout_s=30.0, probe_s=30.0))


def _first_of_each(items: Sequence[Item]) -> list[Item]:
    first: dict[str, Item] = {}
    for item in items:
        first.setdefault(item.group, item)
    return list(first.values())
