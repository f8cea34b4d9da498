"""Benchmark of training memory: peak of an epoch with so many pictures and with ten times as many.

It should be the same.

    python benchmarks/training_memory.py --pictures 300

Each measurement is a process of its own. Needs the extra ``training``.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))
RECIPE = """
kind = "classifier"
name = "memory"
augment = {augment}
[preprocess]
width = 96
height = 96
[network]
backbone = "small"
[optimiser]
epochs = 1
batch = 32
"""
SIDES = (480, 360)
"""Of the made pictures: 170 kB each once decoded."""


def make(root: Path, count: int) -> None:
    """Write a data set of noise pictures in two classes."""
    import cv2
    import numpy as np

    rng = np.random.default_rng(0)
    for number in range(count):
        place = root / ("a", "b")[number % 2]
        place.mkdir(parents=True, exist_ok=True)
        small = rng.integers(20, 255, (36, 48)).astype(np.uint8)
        cv2.imwrite(str(place / f"{number}.jpg"), cv2.resize(small, SIDES))


def epoch(data: Path, out: Path, augment: bool) -> None:
    """Train one epoch in this process; prints its peak memory in MB, when all was listed and when it ended."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    from training.classify.folder import list_folder
    from training.classify.loop import train
    from training.classify.recipe import load_classifier
    from training.classify.split import split_pictures

    (out / "memory.toml").write_text(RECIPE.format(augment=str(augment).lower()), encoding="utf-8")
    recipe = load_classifier(str(out / "memory.toml"))
    pictures, classes = list_folder(data, recipe)
    train(recipe, split_pictures(pictures, recipe.split, 1), classes, out, lambda line: None)
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)


def main() -> None:
    """Measure both sizes in child processes, and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pictures", type=int, default=300)
    parser.add_argument("--keep-tensors", action="store_true", help="without augmentation: tensors kept on disk")
    parser.add_argument("--child", nargs=2, type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        epoch(*options.child, augment=not options.keep_tensors)
        return
    peaks = []
    for count in (options.pictures, 10 * options.pictures):
        with tempfile.TemporaryDirectory() as folder:
            data, out = Path(folder) / "data", Path(folder) / "run"
            out.mkdir()
            make(data, count)
            command = [sys.executable, __file__, "--child", str(data), str(out)]
            command += ["--keep-tensors"] * options.keep_tensors
            done = subprocess.run(command, capture_output=True, text=True, check=True)
            peaks.append(int(done.stdout.split()[-1]))
        decoded = count * SIDES[0] * SIDES[1] / 2**20
        print(f"{count:7} pictures ({decoded:7.0f} MB decoded): peak {peaks[-1]} MB", flush=True)
    print(f"ten times the pictures: {peaks[1] - peaks[0]:+} MB")


if __name__ == "__main__":
    main()
