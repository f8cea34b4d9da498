"""A signed model whose file is swapped while the daemon runs, its runtime killed: it computes with the signed bytes."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from brokers import wait_until
from swapped_files import SWAPS, other_weights

from edge.models.bundle import SHIPPED_BUNDLE
from edge.models.signature import key_id, read_public_key
from edge.process.usage import module_of, process_tree

pytest.importorskip("cryptography", reason="signatures are checked with the extra 'signed'")
from cryptography.hazmat.primitives.asymmetric import ec
from signing import sign, write_public_key

RUNTIME = "edge.runtimes.isolated_child"
CONFIG = """
site = "lab"
device = "cart"
state_dir = "{folder}/state"
model = "{folder}/model.tflite"
model_keys = ["{key}"]
require_signed_model = true
[[streams]]
name = "cart-1"
source = "phantom://?seed=1&lesions=1&fps=10&pace=realtime"
[[sinks]]
uri = "jsonl://{folder}/out.jsonl"
"""


class Run:
    """A running daemon, and what it has written."""

    def __init__(self, folder: Path, key: str) -> None:
        self._out = folder / "out.jsonl"
        (folder / "edge.toml").write_text(CONFIG.format(folder=folder, key=key))
        command = [sys.executable, "-m", "edge.cli.main", "run", "--config", str(folder / "edge.toml")]
        with (folder / "log").open("wb") as log:
            self.process = subprocess.Popen(command, stderr=log, cwd=folder)

    def payloads(self, part: str) -> list[dict]:
        lines = self._out.read_text().splitlines() if self._out.exists() else []
        found = [json.loads(line) for line in lines if line.endswith("}")]
        return [line["payload"] for line in found if part in line["topic"]]

    def runtime(self) -> int:
        return next((pid for pid in process_tree(self.process.pid) if module_of(pid) == RUNTIME), 0)

    def judged(self) -> int:
        return sum(result["status"] != "no_result" for result in self.payloads("/results/"))


@pytest.mark.slow
@pytest.mark.parametrize("swap", ["written over", "renamed"])
def test_the_signed_bytes_go_on(tmp_path, swap):
    key, model = ec.generate_private_key(ec.SECP256R1()), tmp_path / "model.tflite"
    genuine = SHIPPED_BUNDLE.read_bytes()
    SWAPS[swap].prepare(model, genuine)
    sign(model, key)
    public = write_public_key(tmp_path / "key.pub", key)
    run = Run(tmp_path, public)
    try:
        wait_until(lambda: run.judged() > 2, 60)
        SWAPS[swap].swap(model, other_weights(genuine))
        killed = run.runtime()
        os.kill(killed, signal.SIGKILL)
        wait_until(lambda: run.runtime() not in (0, killed), 60)
        before = run.judged()
        wait_until(lambda: run.judged() > before + 2, 60)
        wait_until(lambda: run.payloads("/state")[-1]["status"] == "online", 60)  # degraded until it is told
        states = run.payloads("/state")
        for model_ref in [finding["model"] for finding in run.payloads("/findings/")] or [states[-1]["model"]]:
            assert model_ref["sha256"] == hashlib.sha256(genuine).hexdigest()
            assert model_ref["signature"] == key_id(read_public_key(Path(public)))
        assert "golden" not in (tmp_path / "log").read_text()
    finally:
        run.process.kill()
        run.process.wait()
