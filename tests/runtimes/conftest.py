"""Fixtures of the runtime tests: a delegate built from C, an ONNX file, an emulated GPU; skipped where missing."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

SWIFTSHADER = Path("/usr/lib/chromium/vk_swiftshader_icd.json")
"""Vulkan on the CPU, in Debian's chromium: LiteRT takes it, and does not take Mesa's."""
SOURCE = Path(__file__).parent / "delegates" / "delegate.c"


def compile_library(target: Path, source: Path) -> Path:
    if shutil.which("gcc") is None:
        pytest.skip("gcc not on PATH: the test delegate cannot be built")
    subprocess.run(["gcc", "-shared", "-fPIC", "-Wall", "-Wextra", "-Werror", "-o", target, source], check=True)
    return target


@pytest.fixture(scope="session")
def delegate_file():
    """The test delegate's library, where other users can read it."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    yield compile_library(folder / "libtestchip.so.1", SOURCE)
    shutil.rmtree(folder)


@pytest.fixture(scope="session")
def onnx_file() -> Path:
    """The shipped model as ONNX."""
    given = os.environ.get("SONOEDGE_ONNX")
    if not given or not Path(given).is_file():
        pytest.skip("SONOEDGE_ONNX names no ONNX file of the shipped model: make test-accelerators")
    return Path(given)


@pytest.fixture(scope="session", autouse=True)
def gpu_on_the_cpu():
    """Where nobody has chosen a Vulkan driver, one that needs no GPU; it is slow, and has to be asked for."""
    with pytest.MonkeyPatch.context() as patch:
        asked = bool(os.environ.get("SONOEDGE_SWIFTSHADER"))
        if asked and "VK_ICD_FILENAMES" not in os.environ and SWIFTSHADER.is_file():
            patch.setenv("VK_ICD_FILENAMES", str(SWIFTSHADER))
        patch.setattr("edge.runtimes.isolated.START_TIMEOUT_S", 300.0)  # on a busy machine it compiles for long
        yield
