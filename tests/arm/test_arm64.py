"""Tests of the parts of ``make test-arm64``; the whole of it where the Arm root was made."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
from arm import arm64_root
from arm import pictures as arm_pictures
from arm.arm64_root import ArmRoot, cannot_run
from arm.compare_fingerprints import Comparison, compare_answers, compare_fingerprints, read_lines
from arm.cpus import CPUS, cpuinfo, write_cpu_files
from arm.fingerprint import digest, frames
from arm.pictures import ANSWERED, write_pictures

from edge.contracts.errors import DeviceError
from edge.contracts.frames import Frame

PROJECT = Path(__file__).parents[2]
HEAD = {"machine": "any"}


def record(name="a.png", index=0, **hashes):
    return {
        "what": "frame",
        "name": name,
        "index": index,
        "hashes": {k.replace("_", " "): v for k, v in hashes.items()},
    }


def test_equal_fingerprints_are_counted_by_kind():
    side = [HEAD, record(pixels="1", tensor_model="2", output_mask="3"), record(index=1, pixels="4")]
    result = compare_fingerprints(side, side)
    assert result.sound
    assert result.compared == {"pixels": 2, "tensor": 1, "output": 1}
    assert result.line("pixels") == "2 of 2"


@pytest.mark.parametrize(
    "theirs",
    [
        [HEAD, record(pixels="1", tensor_model="other")],
        [HEAD, record(pixels="1")],
        [HEAD, record(name="b.png", pixels="1", tensor_model="2")],
        [HEAD],
    ],
)
def test_another_hash_or_a_missing_one_is_a_difference(theirs):
    result = compare_fingerprints([HEAD, record(pixels="1", tensor_model="2")], theirs)
    assert not result.sound
    assert any("a.png, 0: tensor model" in line for line in result.examples)


def test_nothing_compared_is_not_equal():
    assert not compare_fingerprints([HEAD], [HEAD]).sound
    assert not compare_answers([], []).sound


def test_a_clip_may_be_decoded_otherwise_and_a_picture_may_not():
    for name, sound in (("a.mp4", True), ("a.png", False)):
        ours, theirs = ([HEAD, record(), record(name, pixels=p, tensor_model=p)] for p in "12")
        ours[1]["hashes"] = theirs[1]["hashes"] = {"pixels": "3"}
        ours[1]["name"] = theirs[1]["name"] = "b.png"
        result = compare_fingerprints(ours, theirs)
        assert result.sound is sound
        assert result.decoded_otherwise == {(name, 0)}
        assert "tensor" not in result.compared, "what is computed from other pixels is not compared"


@pytest.mark.parametrize("theirs", ["192 63", "192", "ab12"])
def test_a_probability_may_not_be_one_step_off(theirs):
    result = compare_fingerprints([HEAD, record(output_p="192 64")], [HEAD, record(output_p=theirs)])
    assert not result.sound
    assert result.line("output") == "0 of 1"


def test_answers_may_differ_in_time_alone():
    ours = read_lines('{"path": "a", "frame": 0, "malignancy": 0.25, "lesions": [0.5], "latency_ms": {"total": 1.0}}\n')

    def against(**other):
        return compare_answers(ours, [{**ours[0], **other}])

    assert against(latency_ms={}).line("answer") == "1 of 1"
    for other in ({"malignancy": 0.251}, {"malignancy": None}, {"lesions": [0.501]}, {"lesions": []}, {"frame": 1}):
        assert not against(**other).sound
    assert against(frame=1).different == {"answer": 2}
    assert not compare_answers(ours, [{**ours[0], "frame": 1}], {("a", 0), ("a", 1)}).compared


def test_a_hash_tells_shape_and_type():
    zeros = np.zeros((2, 3), np.uint8)
    assert digest(zeros) == digest(zeros.copy(order="F"))
    assert len({digest(zeros), digest(zeros.T), digest(zeros.astype(np.int8)), digest(zeros + 1)}) == 4


@pytest.fixture
def pictures(tmp_path):
    folder = tmp_path / "pictures"
    write_pictures(folder)
    return folder


@pytest.mark.timeout(600)
def test_the_pictures_are_the_same_each_time(monkeypatch, tmp_path):
    monkeypatch.setattr(arm_pictures, "PHANTOMS", arm_pictures.PHANTOMS[-1:])  # the small one
    once, again = (write_pictures(tmp_path / name) for name in ("once", "again"))
    assert once == again
    for name in once:
        assert (tmp_path / "again" / name).read_bytes() == (tmp_path / "once" / name).read_bytes(), name


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_they_hold_what_an_arm_may_round_otherwise(pictures):
    shapes = {}
    for name, _, frame in frames(pictures):
        if isinstance(frame, Frame):
            shapes[name] = frame.pixels.shape
    assert set(shapes) == {path.name for path in pictures.iterdir()}, "all can be read"
    assert any(len(shape) == 3 for shape in shapes.values())
    assert any(len(shape) == 2 for shape in shapes.values())
    assert any(shape[0] % 2 and shape[1] % 2 for shape in shapes.values())
    assert {name for name in shapes if name.startswith("dicom-jpeg")} == {
        "dicom-jpeg-grey.dcm",
        "dicom-jpeg-colour.dcm",
    }
    assert all(list(pictures.glob(pattern)) for pattern in ANSWERED)


def test_cpuinfo_is_an_arm_s(tmp_path):
    for cpu in CPUS:
        text = cpuinfo(cpu)
        assert text.count("processor\t:") == text.count(f"CPU part\t: {cpu.part:#x}") == 2
        assert "asimd" in text
    assert "asimddp" not in cpuinfo(CPUS[0])


def test_the_host_s_proc_is_not_written_to(tmp_path):
    outside, root = tmp_path / "host-proc", tmp_path / "root"
    outside.mkdir()
    root.mkdir()
    (root / "proc").symlink_to(outside)
    write_cpu_files(root, CPUS[1])
    assert not list(outside.iterdir())
    assert (root / "proc/cpuinfo").read_text() == cpuinfo(CPUS[1])
    assert (root / "sys/devices/system/cpu/possible").read_text() == "0-1\n"
    write_cpu_files(root, CPUS[1], listed=False)
    assert not (root / "sys/devices/system/cpu/possible").exists()


def test_what_is_missing_is_said_in_one_line(monkeypatch):
    monkeypatch.setattr(arm64_root.platform, "machine", lambda: "x86_64")
    monkeypatch.setattr(arm64_root, "_find", lambda tool: None if "qemu" in tool else f"/usr/bin/{tool}")
    error = cannot_run()
    assert error is not None
    assert (error.message, error.hint) == ("qemu-aarch64-static not found", "apt install qemu-user-static")
    monkeypatch.setattr(arm64_root, "_find", lambda tool: f"/usr/bin/{tool}")
    monkeypatch.setattr(arm64_root.os, "geteuid", lambda: 1000)
    error = cannot_run()
    assert error is not None
    assert "needs root" in error.message
    monkeypatch.setattr(arm64_root.platform, "machine", lambda: "aarch64")
    error = cannot_run()
    assert error is not None
    assert "arm64 itself" in error.message


def test_two_runs_do_not_share_a_root(tmp_path):
    with ArmRoot(tmp_path).locked(), pytest.raises(DeviceError, match="in use"), ArmRoot(tmp_path).locked():
        pass


def fake_wheel(folder, requires, code):
    path = folder / "sonoedge-0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("edge/__init__.py", code)
        archive.writestr("sonoedge-0.dist-info/METADATA", f"Name: sonoedge\nRequires-Dist: {requires}\n\nA page.\n")
    return path


def test_a_step_is_done_again_only_when_what_it_depends_on_has_changed(monkeypatch, tmp_path):
    steps = []
    root = ArmRoot(tmp_path / "arm", lambda text: None)
    constraints = tmp_path / "constraints.txt"
    constraints.write_text("numpy==1")
    monkeypatch.setattr(arm64_root, "cannot_run", lambda: None)
    monkeypatch.setattr(
        ArmRoot, "_debian", lambda self, mirror: (steps.append("debian"), self.path.mkdir(parents=True))
    )
    monkeypatch.setattr(ArmRoot, "_python", lambda self: None)
    monkeypatch.setattr(ArmRoot, "_dependencies", lambda self, wheel, constraints: steps.append("dependencies"))
    monkeypatch.setattr(ArmRoot, "_pip", lambda self, *args: steps.append("wheel"))

    def build(*wheel):
        steps.clear()
        root.build(fake_wheel(tmp_path, *wheel), constraints, "http://127.0.0.1/")
        return list(steps)

    assert build("numpy", "a = 1") == ["debian", "dependencies"]
    assert build("numpy", "a = 1") == []
    assert build("numpy", "a = 2") == ["wheel"]
    assert build("numpy, more", "a = 2") == ["dependencies"]
    constraints.write_text("numpy==2")
    assert build("numpy, more", "a = 2") == ["dependencies"]
    (tmp_path / "arm/installed").unlink()  # as after an interruption
    assert build("numpy, more", "a = 2") == ["dependencies"]


def test_what_came_out_can_be_written_down():
    result = compare_fingerprints([HEAD, record(pixels="1")], [HEAD, record(pixels="2")])
    told = json.loads(json.dumps(result, default=Comparison.as_json))
    assert told == {
        "compared": {"pixels": 1},
        "different": {"pixels": 1},
        "examples": ["frame a.png, 0: pixels"],
    }


@pytest.mark.opt_in
@pytest.mark.timeout(4 * 3600)
def test_arm_computes_what_this_machine_computes(tmp_path):
    root = ArmRoot(PROJECT / ".arm64-root")
    lacking = cannot_run()
    if lacking is not None:
        pytest.skip(f"{lacking.message}; {lacking.hint}")
    if not root.ready:
        pytest.skip("no Arm root in .arm64-root: sudo make test-arm64 makes it")
    script = [
        sys.executable,
        str(PROJECT / "benchmarks/arm64.py"),
        "--cpu",
        "cortex-a72",
        "--json",
        str(tmp_path / "out.json"),
    ]
    done = subprocess.run(script, text=True, capture_output=True, check=False, env={**os.environ, "LANG": "C.UTF-8"})
    assert done.returncode == 0, done.stdout + done.stderr
    assert json.loads((tmp_path / "out.json").read_text())["sound"] is True
