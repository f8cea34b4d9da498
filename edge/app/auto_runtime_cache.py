"""Result of an ``auto://`` trial of runtimes, and the file in the state directory that keeps it."""

from __future__ import annotations

import hashlib
import logging
import os
import platform
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING

import msgspec

import edge
from edge.contracts.decoding import UnreadableError, decode_json

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

log = logging.getLogger(__name__)

FILE_NAME = "runtime-choice.json"
LIBRARIES = (
    *("ai-edge-litert", "tflite-runtime", "openvino"),
    *("onnxruntime", "onnxruntime-gpu", "onnxruntime-openvino"),
)
"""Distributions whose version decides what is fast."""
ENVIRONMENT = ("VK_ICD_FILENAMES", "VK_DRIVER_FILES")
"""Variables that choose a GPU's driver."""


class RuntimeTrial(msgspec.Struct, frozen=True, kw_only=True):
    """Result of the trial of one candidate runtime."""

    uri: str
    ms: float | None = None
    """Median of its runs in its own process; None: it did not serve."""
    runs: int = 0
    refused: str = ""
    """Why it did not serve."""


class RuntimeChoice(msgspec.Struct, frozen=True, kw_only=True):
    """The chosen runtime, and the trials that it was chosen by."""

    basis: str
    """SHA-256, hex, of all that the choice rests on."""
    uri: str
    trials: list[RuntimeTrial]
    """In the order of preference."""

    @property
    def why(self) -> str:
        """Why this runtime was chosen, in one line for people."""
        times = {trial.uri: trial for trial in self.trials if trial.ms is not None}
        best = times[self.uri]
        others = [f"{trial.uri} {trial.ms} ms" for trial in times.values() if trial.uri != self.uri]
        out = [f"{trial.uri} no: {trial.refused}" for trial in self.trials if trial.ms is None]
        return f"{self.uri} {best.ms} ms (median of {best.runs}); " + "; ".join(
            (*others, *out) or ("nothing else here",)
        )


def choice_basis(model_sha256: str, uris: Sequence[str], cpuinfo: str = "/proc/cpuinfo") -> str:
    """Hash (SHA-256, hex) of all that a choice rests on.

    That is the model, the candidates, this version, the libraries' versions, the machine and its kernel.
    """
    facts = [
        edge.__version__,
        model_sha256,
        *uris,
        *(f"{name} {_version(name)}" for name in LIBRARIES),
        *(f"{name} {os.environ.get(name)}" for name in ENVIRONMENT),
        *(platform.machine(), platform.node(), platform.release(), str(os.cpu_count())),
        _processor(cpuinfo),
    ]
    return hashlib.sha256(msgspec.json.encode(facts)).hexdigest()


def load_choice(folder: Path, rests_on: str) -> RuntimeChoice | None:
    """The stored choice; None if there is none, if it cannot be read, or if it rests on something else."""
    try:
        choice = decode_json((folder / FILE_NAME).read_bytes(), RuntimeChoice)
    except (OSError, UnreadableError):
        return None
    # A file that was edited may name what it has no times of.
    served = any(trial.uri == choice.uri and trial.ms is not None for trial in choice.trials)
    return choice if choice.basis == rests_on and served else None


def store_choice(folder: Path, choice: RuntimeChoice) -> None:
    """Store the choice. A folder that cannot be written costs a trial at the next start, and is logged."""
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        fresh = folder / f"{FILE_NAME}.new"
        fresh.write_bytes(msgspec.json.format(msgspec.json.encode(choice), indent=1))
        fresh.replace(folder / FILE_NAME)
    except OSError as error:
        log.warning("auto: the choice cannot be remembered in %s: %s", folder, error.strerror)


def delete_choice(folder: Path) -> None:
    """Delete the stored choice: the next one is made anew."""
    try:
        (folder / FILE_NAME).unlink(missing_ok=True)
    except OSError as error:
        log.warning("auto: the choice cannot be forgotten in %s: %s", folder, error.strerror)


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _processor(path: str) -> str:
    """Lines of /proc/cpuinfo that name the processor or the board."""
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            lines = {line.strip() for line in file if line.startswith(("model name", "Model", "Hardware", "CPU part"))}
    except OSError:
        return ""
    return "\n".join(sorted(lines))
