"""A start that is refused: one error of two lines, its exit code, nothing sent, no state left."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from dicom_source_files import write_dicom
from pydicom.encaps import encapsulate
from pydicom.uid import RLELossless
from sample_pictures import speckle

from edge.app.state_dir import new_state_dir
from edge.contracts.errors import DeviceError
from edge.models.bundle import SHIPPED_BUNDLE
from edge.models.bundle_file import split_bundle

if TYPE_CHECKING:
    from pathlib import Path

ENTRY = [sys.executable, "-c", "from edge.cli.main import main; main()"]
ENVIRON = {key: value for key, value in os.environ.items() if not key.startswith("EDGE_")}


def refused(tmp_path: Path, *args: str, code: int) -> str:
    """The error's two lines; nothing else was printed, and the state directory is not there."""
    state = tmp_path / "var" / "state"
    done = subprocess.run(
        [*ENTRY, "run", *args, "--state-dir", str(state)],
        capture_output=True, text=True, env=ENVIRON, check=False, timeout=100,
    )  # fmt: skip
    assert done.returncode == code, done.stderr
    assert done.stdout == ""
    lines = done.stderr.splitlines()
    assert [line.partition(": ")[0] for line in lines] == ["error", "hint"], done.stderr
    assert not state.parent.exists()
    return done.stderr


@pytest.mark.slow
@pytest.mark.parametrize(
    ("args", "code", "said"),
    [
        (["--source", "video:///nowhere.mp4"], 5, "/nowhere.mp4"),
        (["--source", "images:///nowhere/"], 5, "/nowhere"),
        (["--source", "phantom://?sed=1"], 2, "'sed'"),
        (["--source", "phantom://", "--model", "/nowhere.tflite"], 4, "/nowhere.tflite does not exist"),
        (["--source", "phantom://", "--runtime", "litert://?thread=1"], 2, "'thread'"),
        (["--source", "phantom://", "--runtime", "onnx://?model=/nowhere.onnx"], 4, "/nowhere.onnx"),
        (["--source", "phantom://", "--source", "video:///nowhere.mp4"], 5, "/nowhere.mp4"),
    ],
)
def test_sources_model_and_runtime_are_checked_before_anything_begins(
    tmp_path: Path, args: list[str], code: int, said: str
) -> None:
    receiver = tmp_path / "findings.jsonl"
    assert said in refused(tmp_path, *args, "--sink", f"jsonl://{receiver}", code=code)
    assert not receiver.exists()


@pytest.mark.parametrize("sink", ["jsonl:///nowhere/at/all.jsonl", "jsonl:///dev", "jsonl://"])
def test_a_receiver_that_cannot_be_written_is_said_before_anything_is_started(tmp_path: Path, sink: str) -> None:
    refused(tmp_path, "--source", "phantom://", "--sink", sink, code=6)


def test_a_file_that_another_daemon_writes_is_said_before_anything_is_started(tmp_path: Path) -> None:
    receiver = tmp_path / "findings.jsonl"
    receiver.write_text("theirs\n")
    with receiver.open("a") as theirs:
        fcntl.flock(theirs, fcntl.LOCK_EX)
        sinks = ["--sink", f"jsonl://{tmp_path}/new.jsonl", "--sink", f"jsonl://{receiver}"]
        assert "written by another process" in refused(tmp_path, "--source", "phantom://", *sinks, code=6)
    assert [path.name for path in tmp_path.iterdir()] == ["findings.jsonl"]
    assert receiver.read_text() == "theirs\n"


@pytest.mark.slow
def test_two_receivers_that_are_one_are_refused(tmp_path: Path) -> None:
    one, same = f"jsonl://{tmp_path}/a.jsonl", f"jsonl://{tmp_path}/./a.jsonl"
    refused(tmp_path, "--source", "phantom://", "--sink", one, "--sink", same, code=3)


@pytest.mark.slow
def test_a_plain_model_is_not_called_damaged(tmp_path: Path) -> None:
    plain = tmp_path / "plain.tflite"
    plain.write_bytes(split_bundle(SHIPPED_BUNDLE.read_bytes()).graph)
    said = refused(tmp_path, "--source", "phantom://", "--model", str(plain), code=4)
    assert "no bundle" in said
    assert "python -m export bundle" in said


@pytest.mark.slow
def test_a_file_that_no_decoder_reads_is_refused_by_its_kind(tmp_path: Path) -> None:
    path = write_dicom(
        tmp_path / "bits.dcm", speckle()[None], syntax=RLELossless, PixelData=encapsulate([bytes(64)]),
        BitsAllocated=1, BitsStored=1, HighBit=0,
    )  # fmt: skip
    assert "one bit a pixel" in refused(tmp_path, "--source", f"dicom://{path}", code=5)


def test_what_was_made_for_a_start_goes_with_it_unless_it_is_confirmed(tmp_path: Path) -> None:
    state = tmp_path / "var" / "state"
    with new_state_dir(state):
        assert (state / "lock").exists()
    assert not state.parent.exists()
    with new_state_dir(state) as (_, confirm):
        confirm()
    assert (state / "lock").exists()
    with new_state_dir(state):
        pass
    assert (state / "lock").exists(), "it was there before"


def test_what_else_lies_in_a_state_directory_stays(tmp_path: Path) -> None:
    with new_state_dir(tmp_path / "state"):
        (tmp_path / "state" / "choice.json").write_text("{}")
    assert (tmp_path / "state" / "choice.json").exists()


def test_another_daemons_lock_is_not_taken_away(tmp_path: Path) -> None:
    with new_state_dir(tmp_path / "state") as (_, confirm):
        confirm()
        with pytest.raises(DeviceError, match="in use"), new_state_dir(tmp_path / "state"):
            pytest.fail("two daemons in one place")
        assert (tmp_path / "state" / "lock").exists()
