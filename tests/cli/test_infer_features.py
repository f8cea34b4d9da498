"""``edge-cli infer --features``: vectors of frames and tracked lesions in one file, or one error."""

from __future__ import annotations

import numpy as np
import pytest
from sample_pictures import write_clip, write_png

from edge.cli.main import run
from edge.contracts.clip_model import FEATURES, FEATURES_VERSION
from edge.contracts.errors import EdgeError
from edge.sources import ffmpeg_log  # noqa: F401  (before FFmpeg is used in this process: its log does not arrive else)

pytestmark = pytest.mark.usefixtures("scripted_runtime")


def features(*words: object) -> dict[str, np.ndarray]:
    path = words[-1]
    assert run(["infer", *map(str, words[:-1]), "--features", str(path)]) == 0
    with np.load(path) as file:
        return {name: file[name] for name in file.files}


def test_each_frame_and_each_tracked_lesion_has_a_row(tmp_path, capsys):
    clip = write_clip(tmp_path / "clip.avi", 6)
    picture = write_png(tmp_path / "scan.png")
    found = features(clip, picture, tmp_path / "f.npz")
    assert tuple(found["names"]) == FEATURES
    assert found["version"] == FEATURES_VERSION
    assert found["features"].dtype == np.float32
    rows = {len(found[name]) for name in ("features", "path", "frame", "at_s", "clip", "track")}
    assert len(rows) == 1
    of_frames = found["track"] == -1
    assert found["frame"][of_frames].tolist() == [0, 1, 2, 3, 4, 5, 0]
    assert found["clip"][of_frames].tolist() == [0] * 6 + [1]
    assert (~of_frames).sum() >= 7  # what is scripted is a lesion in each
    seconds = found["features"][of_frames][:, FEATURES.index("seconds")]
    assert seconds[0] == seconds[6] == 0  # nothing of one file reaches the next
    assert (seconds[1:6] > 0).all()


def test_the_order_of_the_files_changes_no_vector(tmp_path, capsys):
    one, other = write_clip(tmp_path / "a.avi", 5), write_clip(tmp_path / "b.avi", 7)
    first, second = features(one, other, tmp_path / "1.npz"), features(other, one, tmp_path / "2.npz")

    def of(found: dict[str, np.ndarray], path: object) -> bytes:
        chosen = found["path"] == str(path)
        return found["features"][chosen].tobytes() + found["track"][chosen].tobytes()

    for path in (one, other):
        assert of(first, path) == of(second, path)


def test_a_place_that_cannot_be_written_is_one_error_before_anything_is_judged(tmp_path, capsys):
    picture = write_png(tmp_path / "scan.png")
    assert run(["infer", str(picture), "--features", str(tmp_path / "none" / "f.npz")]) == 2
    out, err = capsys.readouterr()
    assert "f.npz cannot be written" in err
    assert "hint:" in err
    assert "finding" not in out
    assert run(["infer", str(picture), "--features", str(picture)]) == 2
    assert "is an input" in capsys.readouterr().err


def test_what_cannot_be_read_has_no_row(tmp_path, capsys):
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"\x89PNG\r\n\x1a\nnothing")
    picture = write_png(tmp_path / "scan.png")
    assert run(["infer", str(broken), str(picture), "--features", str(tmp_path / "f.npz")]) == 5
    with np.load(tmp_path / "f.npz") as file:
        assert set(file["path"].tolist()) == {str(picture)}


def test_a_disk_that_is_full_at_the_end_is_an_error(tmp_path, monkeypatch):
    from edge.infer import feature_file

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    made = feature_file.FeatureFile(tmp_path / "f.npz")
    monkeypatch.setattr(feature_file.np, "savez_compressed", full)
    with pytest.raises(EdgeError, match="No space left"):
        made.close()
