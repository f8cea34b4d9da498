"""What doctor says of machines, runtimes, disks and receivers that are well, and of those that are not."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from brokers import make_certificates, wait_until
from machine_file_trees import jetson_orin_nano, pi_5, write_files, x86_cart

from edge.config.settings import (
    AffinitySettings,
    OutboxSettings,
    RuntimeSettings,
    Settings,
    SinkSettings,
    StreamSettings,
)
from edge.device import sensors
from edge.device.machine import Machine
from edge.doctor import runtimes, source_child, sources, storage, video
from edge.doctor.check import Check, absent, exit_code_of, ok, warning, wrong
from edge.doctor.devices import check_devices
from edge.doctor.machine import check_clock, check_cores, check_kind, check_memory, check_sensors
from edge.doctor.sinks import check_sinks
from edge.doctor.video import check_video
from edge.models.bundle import load_bundle

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from brokers import Mosquitto, Subscriber


def marks(checks: Iterable[Check]) -> dict[str, str]:
    return {check.name: check.mark for check in checks}


def only(checks: Iterable[Check], name: str) -> Check:
    (found,) = (check for check in checks if check.name == name)
    return found


def test_the_exit_code_is_of_what_must_be_mended_first() -> None:
    fine = [ok("a", "b", "c"), warning("a", "b", "c", "d"), absent("a", "b", "c")]
    assert exit_code_of(fine) == 0
    broker, device, model = (wrong("a", "b", "c", "d", code) for code in (6, 5, 4))
    assert exit_code_of([*fine, broker]) == 6
    assert exit_code_of([broker, model, *fine, device]) == 4


# --- machine


def test_a_board_that_cannot_run_it_is_named_with_the_reason() -> None:
    board = Machine(
        board="Raspberry Pi 2 Model B", architecture="armv7l", bits=32, kernel="6.1", glibc=(2, 31), python=(3, 9, 2),
        jetpack=None,
    )  # fmt: skip
    checks = list(check_kind(board))
    assert [check.mark for check in checks] == ["wrong", "wrong"]
    assert "cannot run here: armv7l: LiteRT has no wheels" in checks[0].text
    assert "cannot run here: Python 3.9.2" in checks[1].text


@pytest.mark.parametrize(
    ("tree", "expected"),
    [
        (pi_5, {"temperature": "warning", "throttling": "warning", "supply": "warning"}),
        (jetson_orin_nano, {"temperature": "ok", "throttling": "ok", "supply": "ok"}),
        (x86_cart, {"temperature": "ok", "throttling": "warning", "supply": "ok"}),
        (lambda root: root, {"temperature": "absent", "throttling": "absent", "supply": "absent"}),
    ],
)
def test_sensors(tmp_path: Path, tree: Callable[[Path], Path], expected: dict[str, str]) -> None:
    assert marks(check_sensors(sensors.read(tree(tmp_path)), 80.0)) == expected


def test_throttling_that_is_over_is_still_told(tmp_path: Path) -> None:
    check = only(check_sensors(sensors.read(pi_5(tmp_path, flags="50000")), 90.0), "throttling")
    assert (check.mark, "0x50000" in check.text) == ("warning", True)


def test_clock_cores_and_memory(tmp_path: Path) -> None:
    class Clock:
        def __init__(self, synced: bool) -> None:
            self.synced = lambda: synced

        def monotonic_ns(self) -> int:
            return 0

        def utc(self) -> str:
            return "2026-01-02T03:04:05.000000Z"

    assert check_clock(Clock(True)).mark == "ok"
    assert check_clock(Clock(False)).mark == "warning"
    assert check_cores(AffinitySettings(frame=[0]), [0, 1]).mark == "ok"
    assert "asks for cores 2, 7" in check_cores(AffinitySettings(frame=[7], runtime=[0, 2]), [0, 1]).text
    meminfo = tmp_path / "meminfo"
    for kilobytes, mark in ((100_000, "warning"), (400_000, "ok")):
        meminfo.write_text(f"MemTotal: 450000 kB\nMemFree: 1 kB\nMemAvailable: {kilobytes} kB\n")
        assert check_memory(meminfo).mark == mark
    assert check_memory(tmp_path / "none").mark == "absent"


# --- devices


def test_no_devices_are_no_fault(tmp_path: Path) -> None:
    assert marks(check_devices(tmp_path)) == {"camera": "absent", "accelerator": "absent"}


def test_a_coral_without_driver_or_library(tmp_path: Path) -> None:
    write_files(tmp_path, {"sys/bus/pci/devices/1/vendor": "0x1ac1", "sys/bus/pci/devices/1/device": "0x089a"})
    found = {check.name: check for check in check_devices(tmp_path)}
    assert "no driver serves it" in found["Coral PCIe"].text
    assert "libedgetpu1-std" in found["libedgetpu.so.1"].hint
    write_files(tmp_path, {"dev/apex_0": "", "usr/lib/x86_64-linux-gnu/libedgetpu.so.1": ""})
    assert marks(check_devices(tmp_path)) == {"camera": "absent", "Coral PCIe": "ok", "libedgetpu.so.1": "ok"}


NOBODY = """
import grp, json, os, sys  # all of it now: nobody may read where Python lies
from pathlib import Path
from edge.doctor.devices import check_devices
os.setgid(65534); os.setgroups([]); os.setuid(65534)
print(json.dumps([[c.name, c.mark, c.text, c.hint] for c in check_devices(Path(sys.argv[1]))]))
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to become somebody who may not")
def test_a_device_that_we_may_not_use_names_the_group_that_may(tmp_path_factory: pytest.TempPathFactory) -> None:
    import json
    import shutil
    import tempfile

    root = Path(tempfile.mkdtemp())  # pytest's own folders are closed to others
    try:
        write_files(root, {"dev/video0": "", "sys/class/video4linux/video0/name": "grabber", "dev/dri/renderD128": ""})
        root.chmod(0o755)
        for node in ("dev/video0", "dev/dri/renderD128"):
            (root / node).chmod(0o660)
        done = subprocess.run([sys.executable, "-c", NOBODY, root], capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr
        told = json.loads(done.stdout)
    finally:
        shutil.rmtree(root)
    assert [(name, mark) for name, mark, _, _ in told] == [("grabber", "warning"), ("GPU", "warning")], done.stderr
    assert "usermod -aG video" in told[0][3]
    assert "usermod -aG render" in told[1][3]


# --- disk


def test_a_disk_that_is_fine(tmp_path: Path) -> None:
    found = marks(
        storage.check_storage(Settings(state_dir=str(tmp_path / "a" / "state"), outbox=OutboxSettings(max_mb=1)))
    )
    assert found["state directory"] == "ok"
    assert not (tmp_path / "a").exists()  # looking changes nothing


def test_disks_that_are_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "file"
    file.touch()
    assert only(storage.check_storage(Settings(state_dir=str(file))), "state directory").mark == "wrong"
    assert only(storage.check_storage(Settings(state_dir="/proc/here")), "state directory").mark == "wrong"
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(0o777)
    assert "others" in only(storage.check_storage(Settings(state_dir=str(shared))), "state directory").text
    crowded = Settings(state_dir=str(tmp_path), outbox=OutboxSettings(max_mb=1e12))
    assert only(storage.check_storage(crowded), "room").mark == "warning"
    for kind in ("tmpfs", "overlay", "nfs4"):
        monkeypatch.setattr(storage, "filesystem_type", lambda path, kind=kind: kind)
        assert only(storage.check_storage(Settings(state_dir=str(tmp_path))), "file system").mark == "warning"


SHARED_MEMORY = Path("/dev/shm")  # noqa: S108  (nothing is left there)


@pytest.mark.skipif(not SHARED_MEMORY.is_dir(), reason="no tmpfs to look at")
def test_a_real_tmpfs_is_noticed() -> None:
    check = only(storage.check_storage(Settings(state_dir=str(SHARED_MEMORY / "state"))), "file system")
    assert (check.mark, "tmpfs" in check.text) == ("warning", True)


# --- runtimes


def run_runtimes(**runtime: Any) -> list[Check]:
    return list(runtimes.check_runtimes(Settings(runtime=RuntimeSettings(**runtime))))


def test_runtimes_are_invoked_and_compared_with_the_golden_vectors() -> None:
    checks = run_runtimes(uri="litert://?threads=1")
    assert marks(checks)["model"] == "ok"
    found = only(checks, "litert://?threads=1")
    assert found.mark == "ok"
    assert f"{len(load_bundle().golden.frames)} golden vectors come out exactly" in found.text
    assert only(checks, "scripted://").mark == "ok"  # found as installed, not by the configuration


def test_a_runtime_that_crashes_or_hangs_is_a_line_and_not_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runtimes, "TIMEOUT_S", 0.5)
    monkeypatch.setattr(runtimes, "schemes", lambda kind: [])
    for uri, why in (("scripted://?die_at=1", "died"), ("scripted://?hang_at=1", "no answer within")):
        alone = only(run_runtimes(uri=uri), uri)
        assert (alone.mark, alone.exit_code) == ("wrong", 5)
        assert why in alone.text
        helped = run_runtimes(uri=uri, fallback=["scripted://"])
        assert marks(helped)[uri] == "warning"
        assert "a fall-back takes over" in only(helped, uri).text
        assert exit_code_of(helped) == 0


def test_a_runtime_that_computes_something_else_is_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    import msgspec
    import numpy as np

    from edge.app.compose import choose_model

    monkeypatch.setattr(runtimes, "schemes", lambda kind: [])
    model = choose_model(Settings())
    assert model.bundle is not None
    name, outputs = next(iter(model.bundle.golden.outputs.items()))
    changed = {**model.bundle.golden.outputs, name: (outputs.astype(np.int32) + 7).clip(0, 255).astype(outputs.dtype)}
    golden = type(model.bundle.golden)(
        model.bundle.golden.frames, model.bundle.golden.regions, model.bundle.golden.tensors, changed
    )
    import dataclasses

    other = dataclasses.replace(model, bundle=dataclasses.replace(model.bundle, golden=golden))
    monkeypatch.setattr(runtimes, "choose_model", lambda settings: other)
    check = only(run_runtimes(uri="litert://"), "litert://")
    assert (check.mark, check.exit_code) == ("wrong", 4)
    assert "golden" in check.text
    assert msgspec.json.encode(check)


def test_a_broken_model_and_an_unknown_runtime(tmp_path: Path) -> None:
    broken = tmp_path / "broken.tflite"
    broken.write_bytes(b"no model")
    checks = list(runtimes.check_runtimes(Settings(model=str(broken))))
    assert [(check.name, check.exit_code) for check in checks] == [("model", 4)]
    unknown = only(run_runtimes(uri="nonesuch://"), "nonesuch://")
    assert (unknown.mark, unknown.exit_code) == ("wrong", 3)


# --- sources


def seen(source: str, **stream: Any) -> Check:
    settings = Settings(streams=[StreamSettings(name="cart-1", source=source, **stream)])
    (check,) = sources.check_sources(settings)
    return check


def test_a_source_gives_a_frame(tmp_path: Path) -> None:
    assert seen("phantom://?seed=1").text.startswith("gives frames of ")
    assert next(iter(sources.check_sources(Settings()))).mark == "absent"


def test_sources_that_give_none(tmp_path: Path) -> None:
    gone = seen(f"video://{tmp_path}/none.mp4")
    assert (gone.mark, gone.exit_code) == ("wrong", 5)
    assert str(tmp_path) not in gone.name  # a file may be called after a patient
    unknown = seen("nonesuch://")
    assert (unknown.mark, unknown.exit_code) == ("wrong", 3)
    assert seen("phantom://?nonsense=1").exit_code == 3


@pytest.mark.parametrize("does", ["import time; time.sleep(60)", "import os; os.kill(os.getpid(), 11)"])
def test_a_source_that_hangs_or_crashes_is_left_behind(
    does: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "unlucky.py").write_text(does)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setattr(sources, "CHILD", "unlucky")
    monkeypatch.setattr(sources, "PATIENCE_S", 2.0)
    check = seen("phantom://?seed=1")
    assert (check.mark, check.exit_code) == ("wrong", 5)


def test_the_child_gives_up_before_the_parent_does() -> None:
    assert source_child.LOOK_S < sources.PATIENCE_S


# --- receivers


def receivers(*uris: str, **sink: Any) -> list[Check]:
    sinks = [SinkSettings(uri=uri, **sink) for uri in uris]
    return list(check_sinks(Settings(site="lab", device="cart", sinks=sinks)))


@pytest.mark.broker
def test_a_broker_acknowledges_one_message(broker: Mosquitto, subscriber: Subscriber) -> None:
    (check,) = receivers(broker.uri)
    assert check.mark == "ok", check
    assert "not encrypted, MQTT 5" in check.text
    wait_until(lambda: [heard.topic for heard in subscriber.heard] == ["edge/v1/lab/cart/check"])
    (older,) = receivers(broker.uri, protocol="3.1.1")
    assert (older.mark, "3.1.1" in older.text) == ("warning", True)


# paho leaves the socket of a failed handshake to the garbage collector
@pytest.mark.broker
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_broker_over_tls_and_one_that_does_not_let_us(mosquitto: Callable[..., Mosquitto], tmp_path: Path) -> None:
    pems = make_certificates(tmp_path / "pems")
    encrypted = mosquitto(tls=pems)
    (check,) = receivers(encrypted.uri, ca_file=str(pems.ca))
    assert (check.mark, "over TLS" in check.text) == ("ok", True)
    (check,) = receivers(encrypted.uri)
    assert (check.mark, check.exit_code) == ("wrong", 6)
    strict = mosquitto(acl="topic write edge/v1/lab/other/#\n")
    (check,) = receivers(strict.uri)
    assert (check.mark, check.exit_code) == ("wrong", 6)
    assert "does not let us publish" in check.text


def test_other_receivers(tmp_path: Path) -> None:
    assert [check.mark for check in receivers()] == ["absent"]
    assert [check.mark for check in receivers(f"jsonl://{tmp_path}/out.jsonl")] == ["ok"]
    assert list(tmp_path.iterdir()) == []
    (folder,) = receivers(f"jsonl://{tmp_path}")
    (nowhere,) = receivers(f"jsonl://{tmp_path}/none/out.jsonl")
    (nobody,) = receivers("mqtt://127.0.0.1:1")
    (unknown,) = receivers("nonesuch://")
    assert [check.exit_code for check in (folder, nowhere, nobody, unknown)] == [6, 6, 6, 3]


# --- video


def test_an_interlaced_clip_is_tried() -> None:
    (check,) = check_video()
    assert (check.group, check.mark) == ("video", "ok")
    assert "decoded" in check.text


@pytest.mark.parametrize(("outcome", "text"), [("blind", "does not tell"), ("", "crashes")])
def test_a_decoder_that_does_not_tell_is_wrong(outcome: str, text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(video, "_probe_in_child", lambda: outcome)
    (check,) = check_video()
    assert (check.mark, check.exit_code) == ("wrong", 5)
    assert text in check.text
    assert check.hint


def test_a_decoder_that_takes_its_process_with_it_is_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(video, "PROBE", "no.such.module")
    (check,) = check_video()
    assert check.mark == "wrong"
