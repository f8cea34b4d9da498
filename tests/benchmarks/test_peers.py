"""The peers benchmark itself, with the peers that the test environment has."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from edge.models.bundle import SHIPPED_BUNDLE, load_bundle

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


def run(script: str, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(BENCHMARKS / script), *map(str, arguments)]
    return subprocess.run(
        command, capture_output=True, text=True, check=False, env={**os.environ, "PYTHONSAFEPATH": ""}
    )


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_quick_run_measures_who_is_there_and_says_who_is_not(tmp_path):
    kept = tmp_path / "peers.json"
    peers = "bare,in-process,daemon,frigate-style,mediapipe"
    modes = "one-core,two-threads" if len(os.sched_getaffinity(0)) > 1 else "one-core"
    nobody = f"mediapipe={tmp_path / 'venv' / 'bin' / 'python'}"
    done = run("peers.py", "--quick", "--only", peers, "--modes", modes, "--python", nobody, "--json", kept)
    assert done.returncode == 0, done.stderr
    for mode in json.loads(kept.read_text())["peers"]["modes"].values():
        assert set(mode["peers"]) == {"bare", "in-process", "daemon", "frigate-style"}
        assert mode["missing"] == {"mediapipe": "there is no venv; make peers sets it up"}
        for one in mode["peers"].values():
            assert len(one["frames_per_s"]) == 2
            assert min(one["frames_per_s"]) > 0
        assert mode["peers"]["bare"]["steps_off"] == 0.0
        assert mode["peers"]["bare"]["threads"] == mode["threads"]
    assert "without mediapipe: there is no venv" in done.stdout


def test_unknown_peers_are_refused():
    done = run("peers.py", "--only", "coral")
    assert done.returncode == 2
    assert "expected some of bare" in done.stderr


@pytest.fixture
def setup():
    from peer_runners.peer import PeerSetup

    pictures = np.random.default_rng(3).integers(0, 256, (4, 480, 640, 3), np.uint8)
    return PeerSetup(str(SHIPPED_BUNDLE), 1, "", pictures)


@pytest.mark.slow
def test_the_frigate_style_loop_answers_every_picture_in_order_as_the_bare_interpreter_does(setup):
    from peer_runners.frame_schedule import due_times
    from peer_runners.frigate_style import FrigateStyle
    from peer_runners.litert import Bare

    bare = Bare(setup)
    wanted = [bare.infer(bare.prepare(picture)) for picture in setup.pictures]
    loop = FrigateStyle(setup)
    try:
        found = loop.answers(partial(due_times, 20.0, 0.5))
    finally:
        loop.close()
    assert [answer for answer, _, _ in found] == [wanted[number % 4] for number in range(10)]
    assert all(came > due for _, due, came in found)
    assert len(set(wanted)) > 1  # else the order would prove nothing


@pytest.mark.broker
def test_the_daemon_brings_each_frame_with_a_finding_to_the_broker(broker, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(BENCHMARKS))  # for its publisher
    import cv2
    from peer_runners.daemon import Daemon
    from peer_runners.peer import PeerSetup

    from edge.phantom.scene import PhantomScene
    from edge.phantom.spec import PhantomSpec

    scene = PhantomScene(PhantomSpec(seed=1, lesions=1))
    pictures = np.stack([cv2.cvtColor(scene.pixels(number), cv2.COLOR_GRAY2RGB) for number in range(4)])
    region = (*map(float, scene.region.box), scene.region.mm_x, scene.region.mm_y)
    daemon = Daemon(PeerSetup(str(SHIPPED_BUNDLE), 1, broker.uri, pictures, region))
    try:
        taken = daemon.paced(20.0, 0.5)
    finally:
        daemon.close()
    assert len(taken["result"]) == 10
    assert 0 < len(taken["ack"]) <= 10
    assert min(taken["ack"]) > min(taken["result"])


def test_a_peer_that_computes_something_else_is_left_out():
    import peers
    from peer_runners.peer import CannotRunError

    bundle = load_bundle()
    golden = bundle.golden.outputs["malignancy"].reshape(len(bundle.golden.tensors), -1)[:, -1] / 256
    assert peers.steps_off(bundle, list(golden)) == 0.0
    assert peers.steps_off(bundle, None) is None
    with pytest.raises(CannotRunError, match="not the same model"):
        peers.steps_off(bundle, list(1 - golden))
