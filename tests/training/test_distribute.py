"""Distributed training: two workers, and two replicas, learn the same weights as one device."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("tensorflow", reason="training needs TensorFlow: make test-training has it")
from sample_dataset import make_dataset

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(600),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),  # Keras 3.15 with NumPy 2.4
]

CHECKOUT = Path(__file__).parents[2]
RECIPE = """
kind = "classifier"
name = "tiny"
augment = false
[preprocess]
width = 32
height = 32
[network]
backbone = "text-cnn"
dropout = 0.0
[optimiser]
epochs = 2
batch = 8
[split]
val = 0.25
test = 0.25
group = '^([^/]+/p\\d+)'
"""
MIRRORED = """
import sys, tensorflow as tf
cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
sys.argv[0] = "training"
from training.cli import app
app()
"""


def start(arguments, config=None, code=None):
    environ = {k: v for k, v in os.environ.items() if k not in ("PYTHONSAFEPATH", "TF_CONFIG")}
    if config:
        environ["TF_CONFIG"] = json.dumps(config)
    command = [sys.executable, *(("-c", code) if code else ("-m", "training")), "run", *map(str, arguments)]
    return subprocess.Popen(
        command, cwd=CHECKOUT, env=environ, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


def weights(run):
    import keras

    from training.classify import networks
    from training.classify.recipe import load_classifier

    model = networks.build(load_classifier(str(run.parent / "tiny.toml")), 2)
    model.load_weights(run / "checkpoint" / "model.weights.h5")
    keras.backend.clear_session()
    return model.get_weights()


def free_ports(count):
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [s.getsockname()[1] for s in sockets]
    for s in sockets:
        s.close()
    return ports


def test_two_workers_and_two_replicas_learn_what_one_device_learns(tmp_path):
    (tmp_path / "tiny.toml").write_text(RECIPE)
    data = make_dataset(tmp_path / "sample_dataset", 8)
    base = ["--recipe", tmp_path / "tiny.toml", "--data", data, "--threads", 1]
    alone = start([*base, "--out", tmp_path / "alone"])
    text, _ = alone.communicate(timeout=300)  # which closes its pipe
    assert alone.returncode == 0, text[-2000:]

    workers = [f"127.0.0.1:{port}" for port in free_ports(2)]
    both = [
        start(
            [*base, "--out", tmp_path / "both", "--strategy", "multi-worker"],
            {"cluster": {"worker": workers}, "task": {"type": "worker", "index": index}},
        )
        for index in range(2)
    ]
    outputs = [worker.communicate(timeout=400)[0] for worker in both]
    assert [worker.returncode for worker in both] == [0, 0], outputs[0][-2000:] + outputs[1][-2000:]
    assert "2 replicas share each batch of 8" in outputs[0]
    assert (tmp_path / "both" / "recipe.toml").is_file()

    mirrored = start([*base, "--out", tmp_path / "mirrored", "--strategy", "mirrored"], code=MIRRORED)
    text, _ = mirrored.communicate(timeout=300)
    assert mirrored.returncode == 0, text[-2000:]
    assert "2 replicas share each batch of 8" in text

    single = weights(tmp_path / "alone")
    for name in ("both", "mirrored"):
        for one, other in zip(single, weights(tmp_path / name), strict=True):
            np.testing.assert_allclose(one, other, atol=2e-3)
