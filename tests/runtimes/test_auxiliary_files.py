"""Files that a runtime loads beside the bundle: pinned by hash or signed, they are what they were; else refused."""

from __future__ import annotations

import hashlib
import os
import shutil
import signal
import time
from pathlib import Path

import pytest
from runtime_tools import model_for, noise_tensor
from swapped_files import SWAPS

from edge.app.compose import choose_model, make_guard
from edge.config.settings import RuntimeSettings, Settings
from edge.config.uri import parse_uri
from edge.contracts.errors import DeviceError, ModelError, UsageError
from edge.models.bundle import SHIPPED_BUNDLE, load_bundle
from edge.models.signature import SignaturePolicy, signature_path
from edge.pipeline.selftest import run_selftest
from edge.plugins import make_runtime
from edge.runtimes.auxiliary_files import MissingFileError, auxiliary_files, pin_files
from edge.runtimes.isolated import IsolatedRuntime

pytest.importorskip("cryptography", reason="signatures are checked with the extra 'signed'")
from cryptography.hazmat.primitives.asymmetric import ec
from signing import sign, write_public_key

MAKERS = pytest.mark.parametrize("make", [make_runtime, IsolatedRuntime], ids=["in-process", "isolated"])
KEY = ec.generate_private_key(ec.SECP256R1())


def sha256(path):
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()


@pytest.fixture
def policy(tmp_path):
    return SignaturePolicy((write_public_key(tmp_path / "key.pub", KEY),), required=True)


@pytest.fixture
def delegate(delegate_file, tmp_path):
    return shutil.copy(delegate_file, tmp_path / "libtestchip.so.1")


# --- pinned -------------------------------------------------------------------------------------------------------


@MAKERS
def test_a_pinned_delegate_is_loaded_from_the_bytes_that_were_hashed(delegate, make):
    runtime = make(f"litert://?delegate={delegate}&delegate_sha256={sha256(delegate)}&opt.take=first", *model_for(""))
    assert runtime.spec.delegate == "testchip+xnnpack"  # called as its file is
    maps = Path(f"/proc/{getattr(runtime, 'pid', 'self')}/maps").read_text()
    assert "/memfd:libtestchip.so.1" in maps
    assert str(delegate) not in maps
    assert run_selftest(load_bundle(), runtime).ok
    runtime.close()


@MAKERS
def test_another_library_than_the_pinned_one_is_refused(delegate, make):
    with pytest.raises(ModelError, match=r"libtestchip.so.1 is not the file that was pinned") as caught:
        make(f"litert://?delegate={delegate}&delegate_sha256={'0' * 64}", *model_for(""))
    assert caught.value.hint


@pytest.mark.parametrize(
    ("uri", "error", "expected"),
    [
        ("litert://?delegate=libtest.so&delegate_sha256=" + "0" * 64, UsageError, "needs its full path"),
        ("litert://?delegate=/x/libtest.so&delegate_sha256=12", UsageError, "12 is no SHA-256"),
        ("litert://?delegate=/x/libtest.so&delegate_sha256=" + "0" * 64, DeviceError, "libtest.so does not exist"),
        ("litert://?delegate_sha256=" + "0" * 64, UsageError, "names none"),
        ("litert-npu://?compiler_sha256=" + "0" * 64, UsageError, "names no folder"),
    ],
)
def test_pins_that_cannot_be_kept(uri, error, expected):
    with pytest.raises(error, match=expected) as caught:
        make_runtime(uri, *model_for(""))
    assert caught.value.hint


def test_a_pinned_onnx_file_is_read_once(onnx_file, tmp_path):
    pytest.importorskip("onnxruntime")
    runtime = make_runtime(f"onnx://?model={onnx_file}&sha256={sha256(onnx_file)}", *model_for(""))
    assert run_selftest(load_bundle(), runtime).ok
    runtime.close()


def test_an_onnx_file_that_is_not_the_pinned_one_is_refused_before_anything_reads_it(tmp_path):
    file = tmp_path / "m.onnx"
    file.write_bytes(b"not a model")
    with pytest.raises(ModelError, match="not the file that was pinned"):
        make_runtime(f"onnx://?model={file}&sha256={'a' * 64}", *model_for(""))


@pytest.mark.parametrize(
    "entry",
    [
        b"\x0a\x08location\x12\x05w.bin",
        b"\x12\x05w.bin\x0a\x08location",  # protobuf has no order of fields
        b"\x12\x05w.bin\x8a\x00\x88\x80\x00location",  # nor one length of a number
        b"\x22\x09EPContext",
    ],
)
def test_an_onnx_file_that_names_another_one_is_refused(tmp_path, entry):
    file = tmp_path / "m.onnx"
    file.write_bytes(b".." + entry + b"..")  # of the other file, the hash says nothing
    with pytest.raises(ModelError, match="in another file"):
        make_runtime(f"onnx://?model={file}&sha256={sha256(file)}", *model_for(""))


# --- signatures required ------------------------------------------------------------------------------------------


def test_without_the_requirement_uris_stay_as_they_are():
    for uri in ("litert://?delegate=libx.so", "onnx://", "scripted://"):
        assert pin_files(uri, SHIPPED_BUNDLE, SignaturePolicy()) == uri


def test_each_file_needs_a_signature_or_a_pin(tmp_path, policy):
    library, model = tmp_path / "libchip.so", tmp_path / "m.tflite"
    library.write_bytes(b"library")
    model.with_suffix(".onnx").write_bytes(b"onnx")
    plugins = tmp_path / "plugins"
    plugins.mkdir()
    (plugins / "libLiteRtDispatch_X.so").write_bytes(b"dispatch")
    (plugins / "libLiteRtCompilerPlugin_X.so").write_bytes(b"compiler")
    npu = f"litert-npu://?dispatch={plugins}&compiler={plugins}"
    uris = [f"litert://?delegate={library}&threads=2", f"tflite-runtime://?delegate={library}", "onnx://", npu]
    for uri in uris:
        with pytest.raises(ModelError, match="takes signed models alone") as caught:
            pin_files(uri, model, policy)
        assert "export sign" in caught.value.hint
        assert "sha256=" in caught.value.hint
    pinned = f"{uris[0]}&delegate_sha256={'1' * 64}"
    assert pin_files(pinned, model, policy) == pinned  # held against the file when it is loaded
    for file in (library, model.with_suffix(".onnx"), *plugins.iterdir()):
        sign(file, KEY)
    for uri in uris:
        params = parse_uri(pin_files(uri, model, policy)).params
        found = auxiliary_files(parse_uri(uri), model)
        assert found
        assert [params[file.pin] for file in found] == [sha256(file.path) for file in found]
    library.write_bytes(b"another")
    with pytest.raises(ModelError, match="is of another file"):
        pin_files(uris[0], model, policy)


@pytest.mark.parametrize(
    ("uri", "error", "expected"),
    [
        ("litert://?weight_cache=weights", ModelError, "weight_cache= may compute with a file that nobody signed"),
        ("litert://?delegate=libedgetpu.so.1", UsageError, "needs its full path"),
        ("onnx://?model={folder}/m.onnx&opt.trt_engine_cache_path=x", ModelError, "nobody signed"),
        ("onnx://?model={folder}/m.onnx&opt.load_config=o.json", ModelError, "nobody signed"),
        ("litert://?delegate=/x/libQnn.so&opt.library_path=libQnnHtp.so", ModelError, "nobody signed"),
        ("litert://?delegate=/x/libQnn.so&opt.backend=../libQnnHtp.so", ModelError, "nobody signed"),
        ("litert://?delegate=/x/libvx.so&opt.device=/dev/../tmp/x", ModelError, "nobody signed"),
        ("someone://?weights=/x/y", ModelError, "nobody signed"),
        ("someone://?weights=y", ModelError, "nobody signed"),
        ("onnx://?provider=VitisAIExecutionProvider&opt.cacheKey=k", ModelError, "opt.cacheKey= may compute"),
        ("onnx://?provider=VitisAIExecutionProvider&opt.cacheDir=abc", ModelError, "opt.cacheDir= may compute"),
        ("onnx://?opt.xclbin=a.xclbin", ModelError, "nobody signed"),
        ("onnx://?opt.whatever=1", ModelError, "nobody signed"),
        ("onnx://?device_id=0", ModelError, "nobody signed"),  # no parameter of its own
        ("onnx://?opt.device_type=CPU/x", ModelError, "nobody signed"),
        ("litert://?delegate=/x/libvx.so&opt.device_id=/dev/x", ModelError, "nobody signed"),
        ("litert://?delegate=/x/libvx.so&opt.model=..", ModelError, "nobody signed"),
        ("scripted://", UsageError, "computes no model"),
        ("onnx://?model={folder}/none.onnx", MissingFileError, "does not exist"),
        ("litert-npu://?dispatch={folder}", MissingFileError, "has no libLiteRtDispatch"),
    ],
)
def test_what_else_could_change_what_is_computed(tmp_path, policy, uri, error, expected):
    with pytest.raises(error, match=expected) as caught:
        pin_files(uri.format(folder=tmp_path), SHIPPED_BUNDLE, policy)
    assert caught.value.hint


@pytest.mark.parametrize(
    "uri",
    [
        *("litert://?threads=2", "litert-gpu://?precision=f32", "litert-npu://?device=npu"),
        *("litert://?opt.device=/dev/galcore", "litert://?opt.number-of-threads=2", "litert://?opt.device=usb:0"),
        *("auto://?trial_s=2&among=litert,onnx&threads=2", "litert://", "tflite-runtime://?threads=4"),
    ],
)
def test_what_loads_nothing_else_needs_nothing(policy, uri):
    assert pin_files(uri, SHIPPED_BUNDLE, policy) == uri


def settings_for(tmp_path, uri, *fallback):
    model = tmp_path / "model.tflite"
    shutil.copy(SHIPPED_BUNDLE, model)
    sign(model, KEY)
    key = write_public_key(tmp_path / "key.pub", KEY)
    runtime = RuntimeSettings(uri=uri, fallback=list(fallback))
    return Settings(
        model=str(model),
        model_keys=[key],
        require_signed_model=True,
        runtime=runtime,
        state_dir=str(tmp_path / "state"),
    )


def test_an_unsigned_file_is_refused_at_the_start_also_of_a_fall_back(tmp_path, delegate):
    uri = f"litert://?delegate={delegate}&opt.device_type=first"
    for uris in ((uri, "litert://"), ("litert://", uri)):
        settings = settings_for(tmp_path, *uris)
        with pytest.raises(ModelError, match=f"{delegate} is loaded beside the model and not signed"):
            make_guard(settings, choose_model(settings), isolated=True)


def test_a_library_that_is_missing_is_no_matter_of_trust(tmp_path):
    settings = settings_for(tmp_path, "litert://?delegate=/nowhere/libx.so", "litert://")
    guard = make_guard(settings, choose_model(settings), isolated=True)
    assert guard.ref.fallback
    guard.close()


@pytest.mark.parametrize("swap", ["written over", "renamed"])
def test_a_signed_delegate_that_is_swapped_is_not_loaded_when_its_process_is_replaced(tmp_path, delegate, swap):
    sign(Path(delegate), KEY)
    settings = settings_for(tmp_path, f"litert://?delegate={delegate}&opt.device_type=first", "litert://")
    guard = make_guard(settings, choose_model(settings), isolated=True)
    assert (guard.ref.delegate, guard.ref.fallback) == ("testchip+xnnpack", False)
    SWAPS[swap].swap(Path(delegate), Path(delegate).read_bytes() + b"other")
    sign(Path(delegate), KEY)  # and be it signed: what was verified at the start is what computes until the next one
    os.kill(guard._runtime.pid, signal.SIGKILL)
    deadline = time.monotonic() + 60
    while True:
        guard.submit(noise_tensor(guard.spec.input, 1))
        if not isinstance(guard.wait(), str) or time.monotonic() > deadline:
            break
        time.sleep(0.05)
    assert (guard.ref.delegate, guard.ref.fallback) == ("xnnpack", True)
    guard.close()


def test_auto_leaves_out_what_would_load_an_unsigned_file(tmp_path):
    settings = settings_for(tmp_path, "auto://?trial_s=0.1&among=litert,onnx")
    (tmp_path / "model.onnx").write_bytes(b"a stranger's")
    guard = make_guard(settings, choose_model(settings), isolated=True)
    assert guard.spec.name == "litert"
    assert "onnx://?threads=1 no:" in guard.spec.chosen
    assert "not signed" in guard.spec.chosen
    guard.close()


def test_config_check_and_doctor_tell_it_beforehand(tmp_path, capsys):
    from edge.cli.main import run
    from edge.doctor.runtimes import check_runtimes

    library, config = tmp_path / "libchip.so", tmp_path / "edge.toml"
    library.write_bytes(b"library")
    settings = settings_for(tmp_path, f"litert://?delegate={library}", "litert://")
    lines = [f'model = "{settings.model}"', f'model_keys = ["{settings.model_keys[0]}", "{tmp_path}/gone.pub"]']
    lines += ["require_signed_model = true", "[runtime]", f'uri = "{settings.runtime.uri}"']
    config.write_text("\n".join(lines))
    assert run(["config", "check", str(config)]) == 0  # warnings: on the device it may be otherwise
    said = capsys.readouterr().err
    assert "model_keys[1]: there is no file" in said
    config.write_text("\n".join(lines).replace(f', "{tmp_path}/gone.pub"', ""))
    assert run(["config", "check", str(config)]) == 0
    said = capsys.readouterr().err
    assert f"runtime.uri: {library} is loaded beside the model and not signed" in said
    assert f"delegate_sha256={sha256(library)}" in said
    signature_path(Path(settings.model)).unlink()
    run(["config", "check", str(config)])
    assert "model.tflite.sig is missing" in capsys.readouterr().err
    sign(Path(settings.model), KEY)
    checks = {check.name: check for check in check_runtimes(settings)}
    assert "not signed" in checks[settings.runtime.uri].text
    assert checks["litert://"].mark == "ok"
