"""Recipe ``clip`` from a folder of clips to a device: made clips of phantoms, features, network, int8 step, bundle."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

pytest.importorskip("sklearn", reason="the split needs it: make test-training has it")

from edge.contracts.errors import ConfigError, UsageError
from edge.models.bundle import load_bundle
from edge.phantom.scene import PhantomScene
from edge.phantom.spec import PhantomSpec
from edge.sources import ffmpeg_log  # noqa: F401  (before FFmpeg is used in this process: its log does not arrive else)
from training.clips import run as clip_run
from training.clips.clip_features import features_of
from training.clips.clip_folder import list_clips
from training.clips.recipe import is_clip_recipe, load_clip_recipe, load_clip_record

CHECKOUT = Path(__file__).parents[2]
KINDS = {"benign": ("smooth", 1), "malignant": ("spiculated", 1), "normal": (None, 0)}
GROUPS = 6


def make_clip(path: Path, kind: str, seed: int, frames: int = 12, rate: int = 10) -> None:
    """Write a clip of a phantom that moves as under a hand: the probe slides, the tissue is pressed."""
    margin, lesions = KINDS[kind]
    scene = PhantomScene(PhantomSpec(seed=seed, width=240, height=200, lesions=lesions, margin=margin))
    path.parent.mkdir(parents=True, exist_ok=True)
    film = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"mp4v"), rate, (240, 200))
    for number in range(frames):
        film.write(cv2.cvtColor(scene.pixels(number * 3), cv2.COLOR_GRAY2BGR))
    film.release()


@pytest.fixture(scope="module")
def clips(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("clips")
    rows = ["path,group"]
    for k, kind in enumerate(KINDS):
        for number in range(GROUPS):
            name = f"{kind}/{number}.mp4"
            make_clip(root / name, kind, 100 * k + number)
            rows.append(f"{name},{kind}-{number}")
    (root / "groups.csv").write_text("\n".join(rows) + "\n")
    return root


def test_the_recipe_is_known_and_its_folders_are_listed_with_patients_apart(clips):
    assert is_clip_recipe("clip")
    assert not is_clip_recipe("folder")
    listed, classes = list_clips(clips, load_clip_recipe("clip"))
    assert classes == ["benign", "malignant"]
    assert {each.label for each in listed} == {0, 1, -1}
    sides = {each.group: each.split for each in listed}
    assert all(sides[each.group] == each.split for each in listed)
    assert {each.split for each in listed if each.label >= 0} == {"train", "val", "test"}


def test_two_folders_are_two_classes_whatever_they_are_called(clips, tmp_path):
    for name in ("normal", "malignant"):
        (tmp_path / name).symlink_to(clips / name)
    assert list_clips(tmp_path, load_clip_recipe("clip"))[1] == ["malignant", "normal"]


def test_three_unknown_folders_are_one_error_that_says_what_to_write(clips, tmp_path):
    for new, name in (("a", "benign"), ("b", "malignant"), ("c", "normal")):
        (tmp_path / new).symlink_to(clips / name)
    with pytest.raises(ConfigError, match="expected two class folders, got a, b, c") as error:
        list_clips(tmp_path, load_clip_recipe("clip"))
    assert "unlabelled" in error.value.hint


@pytest.mark.parametrize("make", [lambda root: None, lambda root: (root / "benign").mkdir()])
def test_a_folder_without_clips_is_one_error(tmp_path, make):
    make(tmp_path)
    with pytest.raises(ConfigError):
        list_clips(tmp_path, load_clip_recipe("clip"))


def test_no_folder_and_a_missing_one(tmp_path):
    recipe = load_clip_recipe("clip")
    with pytest.raises(UsageError):
        clip_run.run_clips(recipe, None, tmp_path, print)
    with pytest.raises(ConfigError):
        clip_run.run_clips(recipe, tmp_path / "none", tmp_path / "out", print)


def test_a_broken_clip_is_named_and_can_be_left_out(clips, tmp_path):
    for kind in KINDS:
        (tmp_path / kind).symlink_to(clips / kind)
    (tmp_path / "extra").mkdir()
    (tmp_path / "extra" / "broken.mp4").write_bytes(b"\0\0\0\x18ftypmp42" + bytes(300))
    import msgspec

    recipe = msgspec.structs.replace(load_clip_recipe("clip"), unlabelled=["normal", "extra"])
    listed, _ = list_clips(tmp_path, recipe)
    said: list[str] = []
    with pytest.raises(ConfigError, match=r"1 of .* clips cannot be read"):
        clip_run.read_clips(listed, recipe, tmp_path / "cache", said.append, skip_broken=False)
    assert any("broken.mp4" in line for line in said)
    kept = clip_run.read_clips(listed, recipe, tmp_path / "cache", said.append, skip_broken=True)
    assert len(kept) == 3 * GROUPS


def test_features_are_computed_once(clips, tmp_path):
    class Counting:
        def __init__(self, inner):
            self.inner, self.manifest, self.asked = inner, inner.manifest, 0

        def analyse(self, frame):
            self.asked += 1
            return self.inner.analyse(frame)

    from edge.app.compose import make_analyser
    from edge.config.settings import Settings

    model = Counting(make_analyser(Settings()))
    first = features_of(clips / "benign" / "0.mp4", model, tmp_path)
    asked = model.asked
    again = features_of(clips / "benign" / "0.mp4", model, tmp_path)
    model.inner.close()
    assert asked == 12
    assert model.asked == asked
    assert np.array_equal(first.frames, again.frames)
    assert all(np.array_equal(a, b) for a, b in zip(first.tracks, again.tracks, strict=True))
    assert first.judged == again.judged > 0


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_from_clips_to_a_device(clips, tmp_path):
    """The whole way by the commands that a user types; TensorFlow quantises the step."""
    pytest.importorskip("tensorflow", reason="the step is quantised by TensorFlow: make test-training has it")

    def command(*words: object, code: int = 0) -> str:
        environ = {k: v for k, v in os.environ.items() if k != "PYTHONSAFEPATH"}
        given = [sys.executable, "-m", *map(str, words)]
        done = subprocess.run(given, cwd=CHECKOUT, env=environ, capture_output=True, text=True, check=False)
        assert done.returncode == code, f"{words}: {done.stdout[-1500:]} {done.stderr[-1500:]}"
        return done.stdout

    run = tmp_path / "run"
    bundle = run / "model.tflite"
    said = command("training", "run", "--recipe", "clip", clips, "--out", run, "--epochs", 15)
    assert "test:" in said
    assert "done:" in said
    record = load_clip_record(run)
    assert (record.classes, record.joins, record.new_from) == (["benign", "malignant"], True, None)
    report, export = (line.removeprefix("next:").split() for line in said.splitlines()[-2:])
    command(*report[2:])  # as they are told: python -m …
    figures = json.loads((run / "report" / "report.json").read_text())
    assert figures["about"]["of"] == "clips"
    assert "held-back clips" in (run / "report" / "report.html").read_text()
    said = command(*export[2:])
    assert "int8 against float over" in said
    loaded, shipped = load_bundle(bundle), load_bundle(None)
    assert loaded.clip is not None
    assert loaded.clip.manifest.joins
    assert loaded.manifest == shipped.manifest
    assert loaded.model_bytes.startswith(shipped.model_bytes[:5_000_000])
    clip = next((clips / "malignant").glob("*.mp4"))
    said = command("edge.cli.main", "infer", clip, "--model", bundle, "--features", tmp_path / "f.npz")
    assert "by the recurrent network" in said
    with np.load(tmp_path / "f.npz") as file:
        assert file["features"].shape[1] == len(file["names"])
    sent = tmp_path / "sent.jsonl"
    source, state = f"video://{clip}", tmp_path / "state"
    command(
        "edge.cli.main", "run", "--source", source, "--sink", f"jsonl://{sent}", "--model", bundle, "--state-dir", state
    )
    told = [json.loads(line)["payload"] for line in sent.read_text().splitlines() if "findings/" in line]
    (end,) = [each for each in told if each["lifecycle"] == "end"]
    assert end["clip"]["method"] == "gru"
    assert end["model"]["sha256"] == loaded.sha256
