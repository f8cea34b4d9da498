"""The fake of the `Source` port: it gives what it was told to, and trusts no file."""

from __future__ import annotations

import io
import pickle
import zipfile
from typing import TYPE_CHECKING

import numpy as np
import pytest

from edge.config.settings import StreamSettings
from edge.config.uri import parse_uri
from edge.contracts.errors import SourceError, UsageError
from edge.contracts.frames import Frame, SourceEvent
from edge.contracts.results import Reason
from edge.sources.replay import ReplaySource

if TYPE_CHECKING:
    from pathlib import Path

GREY = np.arange(3 * 20 * 30, dtype=np.uint8).reshape(3, 20, 30)


def frame(seq: int) -> Frame:
    return Frame("s", seq, seq * 10, None, GREY[seq])


def recorded(path: Path) -> ReplaySource:
    text = f"replay://{path}"
    return ReplaySource(parse_uri(text), StreamSettings(name="cart-1", source=text))


def save(tmp_path: Path, **arrays: object) -> Path:
    path = tmp_path / "record.npz"
    np.savez_compressed(path, **arrays)
    return path


# --- a script --------------------------------------------------------------------------------------------------------


def test_a_script_is_played_as_it_is_and_then_ends() -> None:
    lost = SourceEvent("lost", Reason.SOURCE_LOST, "unplugged")
    items = [frame(0), None, lost, frame(1)]
    source = ReplaySource.of(items)
    source.open()
    assert [source.read(5.0) for _ in range(4)] == items
    for _ in range(2):
        assert source.read(5.0) == SourceEvent("ended", Reason.STREAM_ENDED)


def test_after_a_loss_it_is_opened_again_and_goes_on() -> None:
    source = ReplaySource.of([frame(0), SourceEvent("lost", Reason.SOURCE_LOST), frame(1)])
    source.open()
    source.read(1.0)
    assert source.read(1.0).kind == "lost"
    source.close()
    assert source.read(1.0) is None
    source.open()
    assert source.read(1.0).seq == 1


def test_a_script_may_be_live_and_empty() -> None:
    assert ReplaySource.of([], live=True).live
    source = ReplaySource.of(iter(()))
    assert not source.live
    source.open()
    assert source.read(0.0).kind == "ended"


def test_a_script_holds_nothing_else() -> None:
    with pytest.raises(TypeError, match="expected Frame, SourceEvent or None, got str"):
        ReplaySource.of([frame(0), "frame"])


# --- a file ----------------------------------------------------------------------------------------------------------


def test_a_recording_is_played_with_all_it_says(tmp_path: Path) -> None:
    path = save(
        tmp_path,
        frames=GREY,
        media_ns=np.array([0, 40, 80]),
        regions=np.array([[0, 0, 30, 10, 0.1, 0.2], [0, 10, 40, 10, np.nan, np.nan]]),
        body_part="breast",
    )
    source = recorded(path)
    source.open()
    frames = [source.read(1.0) for _ in range(3)]
    assert source.read(1.0).kind == "ended"
    np.testing.assert_array_equal(np.stack([f.pixels for f in frames]), GREY)
    assert [f.media_ns for f in frames] == [0, 40, 80]
    assert [f.seq for f in frames] == [f.origin.frame_index for f in frames] == [0, 1, 2]
    captured = [f.captured_ns for f in frames]
    assert captured == sorted(captured)
    assert captured[0] > 0
    assert frames[0].stream == "cart-1"
    assert frames[0].origin.body_part == "BREAST"
    assert frames[0].origin.path == str(path)
    calibrated, plain = frames[0].regions
    assert (calibrated.box, calibrated.mm_x, calibrated.mm_y) == ((0, 0, 30, 10), 0.1, 0.2)
    assert plain.box == (0, 10, 30, 10), "clipped to the picture"
    assert not plain.calibrated


def test_colour_is_played_and_what_is_not_said_is_not_known(tmp_path: Path) -> None:
    rgb = np.zeros((2, 8, 9, 3), np.uint8)
    source = recorded(save(tmp_path, frames=rgb))
    source.open()
    got = source.read(1.0)
    assert got.pixels.shape == (8, 9, 3)
    assert (got.media_ns, got.regions, got.origin.body_part) == (None, (), None)


def test_a_missing_file_is_said(tmp_path: Path) -> None:
    source = recorded(tmp_path / "none.npz")
    with pytest.raises(SourceError, match=r"no file .*none\.npz") as caught:
        source.open()
    assert caught.value.hint
    assert source.read(0.0) is None


def test_a_folder_is_no_recording(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="no recording"):
        recorded(tmp_path).open()


def test_parameters_are_refused(tmp_path: Path) -> None:
    text = f"replay://{tmp_path}/a.npz?pace=max"
    with pytest.raises(UsageError, match="pace"):
        ReplaySource(parse_uri(text), StreamSettings(name="cart-1", source=text))


class Bomb:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return (exec, ("raise SystemExit('a pickle was run')",))


def test_pickles_are_refused_and_not_run(tmp_path: Path) -> None:
    (tmp_path / "raw.npz").write_bytes(pickle.dumps(Bomb()))
    objects = tmp_path / "objects.npz"
    np.savez(objects, frames=np.array([Bomb()], dtype=object))
    for path in (tmp_path / "raw.npz", objects):
        with pytest.raises(SourceError, match="no recording"):
            recorded(path).open()


@pytest.mark.parametrize(
    ("arrays", "said"),
    [
        ({"frames": GREY.astype(np.float32)}, r"uint8, got \(3, 20, 30\) float32"),
        ({"frames": GREY[0]}, r"got \(20, 30\)"),
        ({"frames": GREY[:0]}, r"got \(0, 20, 30\)"),
        ({"frames": np.zeros((2, 8, 9, 4), np.uint8)}, r"got \(2, 8, 9, 4\)"),
        ({"pictures": GREY}, "got pictures"),
        ({"frames": GREY, "region": np.zeros(6)}, "got frames, region"),
        ({"frames": GREY, "media_ns": np.zeros(2, np.int64)}, r"media_ns \(3,\)"),
        ({"frames": GREY, "media_ns": np.zeros(3)}, "float64"),
        ({"frames": GREY, "body_part": np.array([1])}, "one text"),
        ({"frames": GREY, "regions": np.zeros(6)}, r"regions \(R, 6\)"),
        ({"frames": GREY, "regions": np.array([[0, 0, 10, 10, -1.0, 1.0]])}, "has no size"),
        ({"frames": GREY, "regions": np.array([[0, 0, 10, 10, np.inf, 1.0]])}, "has no size"),
        ({"frames": GREY, "regions": np.array([[90, 0, 10, 10, 1.0, 1.0]])}, "not in the picture"),
        ({"frames": GREY, "regions": np.array([[0.5, 0, 10, 10, 1.0, 1.0]])}, "not in the picture"),
        ({"frames": GREY, "regions": np.array([[np.nan, 0, 10, 10, 1.0, 1.0]])}, "not in the picture"),
    ],
)
def test_arrays_of_another_form_are_refused(tmp_path: Path, arrays: dict, said: str) -> None:
    with pytest.raises(SourceError, match=said) as caught:
        recorded(save(tmp_path, **arrays)).open()
    assert caught.value.hint


def test_a_file_cut_anywhere_is_an_error_and_never_a_crash(tmp_path: Path) -> None:
    whole = save(tmp_path, frames=GREY, media_ns=np.arange(3)).read_bytes()
    cut = tmp_path / "cut.npz"
    for length in range(0, len(whole) - 1, 23):
        cut.write_bytes(whole[:length])
        with pytest.raises(SourceError, match="no recording"):
            recorded(cut).open()


def test_damaged_bytes_are_an_error_or_the_same_frames(tmp_path: Path) -> None:
    whole = save(tmp_path, frames=GREY).read_bytes()
    bad = tmp_path / "bad.npz"
    refused = 0
    for place in range(0, len(whole), 7):
        damaged = bytearray(whole)
        damaged[place] ^= 0xFF
        bad.write_bytes(damaged)
        source = recorded(bad)
        try:
            source.open()
        except SourceError:
            refused += 1
            continue
        np.testing.assert_array_equal(source.read(0.0).pixels, GREY[0])
    assert refused > 10


@pytest.mark.parametrize(("word", "by"), [(b"), }", b" , }"), (b"(3, ", b"(03, "), (b"{'descr'", b"{{descr'")])
def test_a_header_that_is_no_literal_is_refused(word: bytes, by: bytes, tmp_path: Path) -> None:
    array = io.BytesIO()
    np.save(array, GREY)
    assert word in array.getvalue()
    path = tmp_path / "odd.npz"
    with zipfile.ZipFile(path, "w") as archive:  # the ZIP is whole, the array in it is not
        archive.writestr("frames.npy", array.getvalue().replace(word, by, 1))
    with pytest.raises(SourceError, match="no recording"):
        recorded(path).open()


def test_a_header_that_promises_too_much_is_refused(tmp_path: Path) -> None:
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        header, {"descr": "|u1", "fortran_order": False, "shape": (1 << 20, 1 << 14, 1 << 14)}
    )
    path = tmp_path / "bomb.npz"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("frames.npy", header.getvalue() + b"few bytes")
    with pytest.raises(SourceError, match="no recording"):
        recorded(path).open()


def test_an_archive_that_unpacks_to_too_much_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edge.sources.replay.MAX_BYTES", 1000)
    with pytest.raises(SourceError, match="holds more than"):
        recorded(save(tmp_path, frames=GREY)).open()
