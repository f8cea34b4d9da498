"""Benchmark of the shipped model's speed beside a heavier one, ResNet-18.

    PYTHONPATH=. python benchmarks/model_speed.py [BUNDLE]

The other one is ResNet-18 at 224 x 224 (He et al., CVPR 2016), 1.8 G multiply-accumulates, with random weights: time
does not depend on them. Both are int8 by the same converter, run by LiteRT with XNNPACK on one thread, in turns, so
that whatever else the machine does slows both; what is printed is the median ratio of neighbours. Needs TensorFlow
once, to make the other: it is kept at --resnet.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from edge.models.bundle import load_bundle
from edge.models.bundle_file import split_bundle
from edge.models.operators import read_operators


def resnet18() -> bytes:
    """Make an int8 ResNet-18 with 1000 classes, as the bytes of a ``.tflite``."""
    import keras
    from keras import layers

    from export.quantisation.convert import convert, quantise_graph

    def conv(x: Any, width: int, kernel: int, stride: int) -> Any:
        x = layers.Conv2D(width, kernel, stride, padding="same", use_bias=False)(x)
        return layers.BatchNormalization()(x)

    def block(x: Any, width: int, stride: int) -> Any:
        skip = x if stride == 1 and x.shape[-1] == width else conv(x, width, 1, stride)
        x = layers.ReLU()(conv(x, width, 3, stride))
        return layers.ReLU()(layers.Add()([conv(x, width, 3, 1), skip]))

    image = keras.Input((224, 224, 3), batch_size=1, name="image")
    x = layers.ReLU()(conv(layers.Rescaling(1 / 255)(image), 64, 7, 2))
    x = layers.MaxPooling2D(3, 2, padding="same")(x)
    for width, stride in ((64, 1), (64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2), (512, 1)):
        x = block(x, width, stride)
    x = layers.Dense(1000, activation="softmax", name="classes")(layers.GlobalAveragePooling2D()(x))
    model = keras.Model(image, {"classes": x})
    with tempfile.TemporaryDirectory() as folder:
        model.export(folder, verbose=False)
        pictures = np.random.default_rng(0).integers(0, 256, (4, 224, 224, 3), np.uint8)
        return quantise_graph(convert(Path(folder), pictures), pictures)


def ratio(one: bytes, other: bytes, rounds: int) -> tuple[float, float, float]:
    """Median of time(one) / time(other) over neighbouring runs, and the medians in ms."""
    from ai_edge_litert.interpreter import Interpreter

    times: list[list[float]] = [[], []]
    interpreters = [Interpreter(model_content=graph, num_threads=1) for graph in (one, other)]
    for each in interpreters:
        each.allocate_tensors()
        source = each.get_input_details()[0]
        each.set_tensor(source["index"], np.full(source["shape"], 90, source["dtype"]))
        each.invoke()
    for _ in range(rounds):
        for each, taken in zip(interpreters, times, strict=True):
            begin = time.perf_counter()
            each.invoke()
            taken.append(time.perf_counter() - begin)
    mine, theirs = np.array(times)
    return float(np.median(mine / theirs)), float(np.median(mine) * 1e3), float(np.median(theirs) * 1e3)


def macs_of(graph: bytes) -> int:
    """Number of multiply-accumulates of a graph."""
    return sum(operator.macs for operator in read_operators(graph))


def main() -> None:
    """Measure both models in turns and print the ratio of their times."""
    parser = argparse.ArgumentParser(description="int8 bundle against int8 ResNet-18 at 224 px, one thread")
    parser.add_argument("bundle", nargs="?", help="the shipped one if not given")
    parser.add_argument("--resnet", type=Path, default=Path("runs/resnet18-int8.tflite"), help="made if missing")
    parser.add_argument("--rounds", type=int, default=100)
    given = parser.parse_args()
    if not given.resnet.is_file():
        given.resnet.parent.mkdir(parents=True, exist_ok=True)
        given.resnet.write_bytes(resnet18())
    bundle = load_bundle(given.bundle)
    graph, other = split_bundle(bundle.model_bytes).graph, given.resnet.read_bytes()
    share, mine, theirs = ratio(graph, other, given.rounds)
    name, size = f"{bundle.manifest.name} {bundle.manifest.version}", bundle.size / 2**20
    print(f"{name}: {size:.2f} MB on disk, {macs_of(graph) / 1e6:.0f} M MACs, {mine:.1f} ms")
    print(f"ResNet-18 at 224 px: {len(other) / 2**20:.2f} MB, {macs_of(other) / 1e6:.0f} M MACs, {theirs:.1f} ms")
    print(f"ratio of times {share:.3f} (goal: 0.333 or less), over {given.rounds} rounds in turns")


if __name__ == "__main__":
    main()
