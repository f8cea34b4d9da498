"""External delegates: their delegate placement is reported, and each failure is one line and a fall-back."""

from __future__ import annotations

import ctypes.util
import tempfile
from pathlib import Path

import pytest
from runtime_tools import as_unprivileged_user, model_for, noise_tensor

from edge.app.compose import choose_model, make_guard
from edge.config.settings import RuntimeSettings, Settings
from edge.config.uri import parse_uri
from edge.contracts.errors import DeviceError, UsageError
from edge.models.bundle import load_bundle
from edge.pipeline.selftest import run_selftest
from edge.plugins import make_runtime
from edge.runtimes import external_delegate
from edge.runtimes.isolated import IsolatedRuntime


def make(library, options="", isolated=False):
    uri = f"litert://?delegate={library}{options}"
    return (IsolatedRuntime if isolated else make_runtime)(uri, *model_for(uri))


def test_what_it_took_and_what_it_left_is_told(delegate_file):
    alone, with_it = make_runtime("litert://", *model_for("litert://")), make(delegate_file, "&opt.take=first")
    assert with_it.spec.delegate == "testchip+xnnpack"
    assert (with_it.spec.name, with_it.spec.family) == ("litert", "delegate")
    without, placed = alone.spec.placement, with_it.spec.placement
    assert placed.by == {"testchip": 1, "xnnpack": without.by["xnnpack"]}
    assert placed.partitions == without.partitions + 1
    assert placed.left["QUANTIZE"] == without.left["QUANTIZE"] - 1
    assert placed.source == "runtime"


def test_what_it_computes_is_what_counts(delegate_file):
    assert run_selftest(load_bundle(), make(delegate_file, "&opt.take=first")).ok
    wrong = make(delegate_file, "&opt.take=wrong")
    assert wrong.spec.delegate == "testchip+xnnpack"  # it did take it
    assert not run_selftest(load_bundle(), wrong).ok


FAULTS = {
    "takes nothing": ("", "takes none of the model's"),
    "rejects the graph": ("&opt.prepare=fails", "rejects the model: test delegate: the model is for another chip$"),
    "kernel does not prepare": ("&opt.take=first&opt.kernel=fails", "rejects the model: .*does not fit the chip$"),
    "unknown option": ("&opt.nonsense=1", "does not start: unknown option$"),
    "device is not there": ("&opt.device=/dev/no-such-chip", "cannot open /dev/no-such-chip: No such file"),
}


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("isolated", [False, True])
def test_a_delegate_that_does_not_serve_is_one_clear_line(delegate_file, fault, isolated):
    options, expected = FAULTS[fault]
    with pytest.raises(DeviceError, match=expected) as caught:
        make(delegate_file, options, isolated)
    assert "\n" not in caught.value.message
    assert caught.value.hint


def test_a_library_that_is_missing_is_named():
    with pytest.raises(DeviceError, match=r"/nowhere/libedgetpu.so.1 does not exist"):
        make("/nowhere/libedgetpu.so.1")
    with pytest.raises(DeviceError, match="edgetpu-of-nobody cannot be loaded: libedgetpu"):
        make("libedgetpu-of-nobody.so")


def test_a_file_that_is_no_library_is_said_to_be_none(tmp_path):
    text = tmp_path / "libtext.so"
    text.write_text("not a library")
    with pytest.raises(DeviceError, match="text cannot be loaded"):
        make(text)


def test_a_library_of_something_else_is_not_a_delegate(tmp_path):
    library = ctypes.util.find_library("m")
    with pytest.raises(DeviceError, match="is not a TFLite delegate: it has no tflite_plugin_create_delegate"):
        make(library)


def test_a_device_node_that_is_not_ours_to_open_is_said_to_be_so(delegate_file, open_folder):
    from ai_edge_litert.interpreter import load_delegate

    node = closed(open_folder / "chip")
    with (
        as_unprivileged_user(),
        pytest.raises(DeviceError, match=r"testchip does not start: cannot open .*Permission denied"),
    ):
        external_delegate.load_delegate(load_delegate, str(delegate_file), {"device": str(node)})


def test_the_node_of_a_chip_whose_library_says_nothing_is_looked_for(delegate_file, open_folder):
    library = open_folder / "libedgetpu.so.1"
    library.symlink_to(delegate_file)
    node = closed(open_folder / "apex_0")

    def silent(path, options):  # as libedgetpu: it finds no device, and does not say why
        raise ValueError(f"Failed to load delegate from {path}\n")

    with as_unprivileged_user(), pytest.raises(DeviceError, match=f"edgetpu does not start: no permission on {node}$"):
        external_delegate.load_delegate(silent, str(library), {}, dev=str(open_folder))
    node.unlink()
    with pytest.raises(DeviceError, match="edgetpu does not start: it found no device, or may not open it"):
        external_delegate.load_delegate(silent, str(library), {}, dev=str(open_folder))


def closed(node):
    node.touch()
    node.chmod(0)
    return node


@pytest.fixture
def open_folder():
    """A folder that every user may look into; pytest's own is root's alone."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


def test_options_without_a_delegate_are_a_mistake():
    with pytest.raises(UsageError, match="no delegate"):
        make_runtime("litert://?opt.device=usb", *model_for("litert://"))


@pytest.mark.slow
def test_a_delegate_that_does_not_serve_is_fallen_back_from_and_said_so(delegate_file):
    for options in ("", "&opt.take=wrong", "&opt.prepare=fails", "&opt.take=first&opt.invoke=fails"):
        guard = guarded(f"litert://?delegate={delegate_file}{options}", "litert://?threads=2")
        assert (guard.ref.name, guard.ref.delegate, guard.ref.fallback) == ("litert", "xnnpack", True)
        assert guard.problems == ["runtime_fallback"]
        guard.submit(noise_tensor(guard.spec.input))
        assert set(guard.wait()) == set(guard.spec.outputs)
        guard.close()


def guarded(configured, fallback):
    settings = Settings(runtime=RuntimeSettings(uri=configured, fallback=[fallback]))
    return make_guard(settings, choose_model(settings), isolated=True)


@pytest.mark.parametrize(
    ("library", "name"),
    [
        ("/usr/lib/x86_64-linux-gnu/libedgetpu.so.1.0", "edgetpu"),
        ("libarmnnDelegate.so.29", "armnn"),
        ("libvx_delegate.so", "vx"),
        ("/opt/qnn/libQnnTFLiteDelegate.so", "qnn"),
        (".so", "delegate"),
    ],
)
def test_names_for_people(library, name):
    assert external_delegate.delegate_name(library) == name


def test_parameters_of_the_uri_reach_it():
    uri = parse_uri("litert://?delegate=libedgetpu.so.1&opt.device=usb:0&threads=2")
    assert external_delegate.delegate_options(uri) == {"device": "usb:0"}
