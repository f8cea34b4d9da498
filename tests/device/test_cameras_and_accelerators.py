"""Cameras and accelerators from trees that look like machines which have them."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from machine_file_trees import write_files

from edge.device.cameras_and_accelerators import accelerators, cameras, find_library

if TYPE_CHECKING:
    from pathlib import Path


def video(number: int, name: str, index: int = 0) -> dict[str, str]:
    folder = f"sys/class/video4linux/video{number}"
    return {f"dev/video{number}": "", f"{folder}/name": name, f"{folder}/index": str(index)}


def usb(place: str, vendor: str, product: str, bus: str, number: str) -> dict[str, str]:
    folder = f"sys/bus/usb/devices/{place}"
    files = {"idVendor": vendor, "idProduct": product, "busnum": bus, "devnum": number}
    return {**{f"{folder}/{k}": v for k, v in files.items()}, f"dev/bus/usb/{int(bus):03d}/{int(number):03d}": ""}


def test_a_grabber_is_one_camera_and_a_pis_decoders_are_none(tmp_path: Path) -> None:
    write_files(tmp_path, video(0, "USB3 HDMI: grabber") | video(1, "USB3 HDMI: grabber", 1))
    write_files(tmp_path, video(10, "bcm2835-codec-decode") | video(13, "bcm2835-isp") | video(19, "rpivid"))
    (camera,) = cameras(tmp_path)
    assert (camera.kind, camera.name, camera.path, camera.usable) == (
        "camera",
        "USB3 HDMI: grabber",
        "/dev/video0",
        True,
    )
    assert camera.group == (tmp_path / "dev/video0").group()


def test_a_camera_that_we_may_not_open(tmp_path: Path) -> None:
    write_files(tmp_path, video(0, "cam"))
    assert [camera.usable for camera in cameras(tmp_path, accessible=lambda path: False)] == [False]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may open everything")
def test_permission_is_the_kernels_word(tmp_path: Path) -> None:
    write_files(tmp_path, video(0, "cam"))
    (tmp_path / "dev/video0").chmod(0o400)
    assert [camera.usable for camera in cameras(tmp_path)] == [False]


def test_coral_on_usb_before_and_after_its_firmware(tmp_path: Path) -> None:
    write_files(tmp_path, usb("2-1", "1a6e", "089a", "2", "4") | usb("1-1", "18d1", "9302", "1", "12"))
    write_files(tmp_path, usb("3-1", "046d", "0825", "3", "2"))  # a webcam
    found = accelerators(tmp_path)
    assert [(node.kind, node.path) for node in found] == [
        ("edge-tpu", "/dev/bus/usb/001/012"),
        ("edge-tpu", "/dev/bus/usb/002/004"),
    ]
    assert "not used yet" in found[1].name


def test_coral_on_pcie_with_and_without_its_driver(tmp_path: Path) -> None:
    for slot in ("0000:01:00.0", "0000:02:00.0"):
        write_files(
            tmp_path, {f"sys/bus/pci/devices/{slot}/vendor": "0x1ac1", f"sys/bus/pci/devices/{slot}/device": "0x089a"}
        )
    assert [(node.path, node.usable) for node in accelerators(tmp_path)] == [(None, False)] * 2
    write_files(tmp_path, {"dev/apex_0": ""})
    assert [(node.path, node.usable) for node in accelerators(tmp_path)] == [("/dev/apex_0", True), (None, False)]


def test_gpus_of_a_cart_and_of_a_jetson(tmp_path: Path) -> None:
    write_files(
        tmp_path, {"dev/dri/renderD128": "", "sys/class/drm/renderD128/device/uevent": "DRIVER=i915\nPCI_ID=8086:46D1"}
    )
    (gpu,) = accelerators(tmp_path)
    assert (gpu.kind, gpu.name, gpu.path) == ("gpu", "GPU i915", "/dev/dri/renderD128")
    write_files(tmp_path, {"dev/nvmap": "", "dev/nvhost-gpu": ""})
    assert accelerators(tmp_path)[-1].name == "GPU of a Jetson"
    barred = accelerators(tmp_path, accessible=lambda path: path.name != "nvhost-gpu")[-1]
    assert (barred.path, barred.usable) == ("/dev/nvhost-gpu", False)


def test_a_machine_without_any_of_it(tmp_path: Path) -> None:
    assert cameras(tmp_path) == []
    assert accelerators(tmp_path) == []
    assert find_library("libedgetpu.so.1", tmp_path) is None


def test_a_library_that_a_package_installed(tmp_path: Path) -> None:
    write_files(tmp_path, {"usr/lib/aarch64-linux-gnu/libedgetpu.so.1": ""})
    assert find_library("libedgetpu.so.1", tmp_path) == str(tmp_path / "usr/lib/aarch64-linux-gnu/libedgetpu.so.1")
