"""What protects a lesion model protects models of every kind: sealed bytes, signature, self-test, guard, freeze."""

from __future__ import annotations

import time
from dataclasses import replace

import msgspec
import numpy as np
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from signing import sign, write_public_key

from edge.app.compose import choose_model, make_analyser
from edge.app.envelope import EnvelopeMaker
from edge.app.frame_link import MemoryFrameLink
from edge.config.load import load_settings
from edge.config.settings import Settings, StreamSettings
from edge.contracts.coverage import Coverage
from edge.contracts.errors import EdgeError, ModelError
from edge.contracts.frames import SourceEvent
from edge.contracts.results import Reason, Status
from edge.models.bundle import SHIPPED_BUNDLE, load_bundle
from edge.phantom.scene import PhantomScene
from edge.phantom.spec import PhantomSpec
from edge.pipeline.messages import Messages, Provenance
from edge.pipeline.selftest import require_selftest
from edge.pipeline.stream_reporter import StreamReporter
from edge.plugins import make_runtime
from tests.pipeline.conftest import make_frame

RUNTIME = "litert://?threads=1"


@pytest.fixture(params=["lesion", "classification", "segmentation"])
def bundle(request, adopted, segmenter):
    return {"lesion": load_bundle(SHIPPED_BUNDLE), "classification": adopted, "segmentation": segmenter}[request.param]


@pytest.fixture
def copy(tmp_path, bundle):
    path = tmp_path / "model.tflite"
    path.write_bytes(bundle.model_bytes)
    return path


def settings_of(path, **flags):
    return load_settings(None, {}, {"model": str(path), "gate.none_allowed": True, **flags})


SCENE = PhantomScene(PhantomSpec(seed=3, lesions=1))


def phantom(number=0):
    """A frame that every kind of model judges."""
    return replace(make_frame(number), captured_ns=time.monotonic_ns(), pixels=SCENE.pixels(0), regions=(SCENE.region,))


def test_what_runs_is_what_was_checked_whatever_becomes_of_the_file(copy):
    loaded = load_bundle(copy)
    copy.write_bytes(b"something else")
    runtime = make_runtime(RUNTIME, loaded.file, loaded.manifest)
    assert require_selftest(loaded, runtime).ok
    runtime.close()


def test_a_signature_that_is_required_is_checked_before_anything_is_parsed(copy, tmp_path):
    key = ec.generate_private_key(ec.SECP256R1())
    public = write_public_key(tmp_path / "k.pem", key)
    signed = {"model_keys": [public], "require_signed_model": True}
    with pytest.raises(EdgeError, match="sign"):
        choose_model(settings_of(copy, **signed))
    sign(copy, key)
    assert choose_model(settings_of(copy, **signed)).ref.signature
    data = bytearray(copy.read_bytes())
    data[len(data) // 2] ^= 1
    copy.write_bytes(data)
    with pytest.raises(ModelError):
        choose_model(settings_of(copy, **signed))


class DeadKernel:
    """A runtime that answers zeros, as a driver does that computes nothing."""

    def __init__(self, runtime):
        self._runtime, self.spec = runtime, runtime.spec

    def submit(self, tensor):
        self._runtime.submit(tensor)

    def wait(self, timeout_s):
        return {name: np.zeros_like(value) for name, value in self._runtime.wait(timeout_s).items()}

    def close(self):
        self._runtime.close()


def test_a_kernel_that_computes_nothing_judges_nothing(bundle):
    runtime = DeadKernel(make_runtime(RUNTIME, bundle.file, bundle.manifest))
    with pytest.raises(ModelError, match="does not compute what the model's golden vectors say"):
        require_selftest(bundle, runtime)
    runtime.close()


def test_a_hang_costs_its_frame_and_the_fall_back_goes_on_and_says_so(copy):
    flags = {"runtime.uri": "scripted://?hang_at=2", "runtime.fallback": [RUNTIME], "runtime.timeout_s": 0.2}
    analyser = make_analyser(settings_of(copy, **flags))
    try:
        first, second = analyser.analyse(phantom()), analyser.analyse(phantom(1))
        assert not first.runtime.fallback
        assert (second.status, second.reason) == (Status.NO_RESULT, Reason.RUNTIME_HUNG)
        deadline = time.monotonic() + 60
        while (result := analyser.analyse(phantom(2))).status is Status.NO_RESULT and time.monotonic() < deadline:
            time.sleep(0.01)
        assert (result.runtime.name, result.runtime.fallback) == ("litert", True)
    finally:
        analyser.close()


def reporter_of(bundle, frame_link):
    stream = StreamSettings(name="s", source="replay://x")
    messages = Messages(EnvelopeMaker("device", "run").fields, Provenance(bundle.manifest, bundle.model_ref(), False))
    confirm = {"confirm": {"seconds": 0, "share": 0}}
    settings = msgspec.convert({"tracking": confirm}, Settings)
    return StreamReporter(stream, msgspec.structs.replace(settings, streams=[stream]), messages, frame_link)


@pytest.fixture
def found(bundle):
    """A result of the model with something found, of the scripted runtime."""
    settings = settings_of(bundle.path, **{"runtime.uri": "scripted://"})
    analyser = make_analyser(settings)
    result = analyser.analyse(phantom())
    analyser.close()
    assert result.status is Status.FINDING
    return result


def told(frame_link):
    return [(m.lifecycle, m.end_reason) for _, m in frame_link.stored if not isinstance(m, Coverage)]


def test_a_picture_that_stands_still_ends_what_was_found_and_is_no_result(bundle, found):
    frame_link = MemoryFrameLink()
    stream = reporter_of(bundle, frame_link)
    stream.result(phantom(), found)
    assert told(frame_link) == [("new", None)]
    stream.event(SourceEvent("skipped", Reason.FROZEN))
    assert told(frame_link) == [("new", None), ("end", "not_judged")]
    last = [m for _, m in frame_link.stored if isinstance(m, Coverage)][-1]
    assert (last.status, last.reason) == (Status.NO_RESULT, Reason.FROZEN)


def test_one_damaged_frame_ends_nothing_that_the_others_show(bundle, found):
    frame_link = MemoryFrameLink()
    stream = reporter_of(bundle, frame_link)
    for number in range(3):
        stream.result(phantom(number), msgspec.structs.replace(found, frame_seq=number))
        stream.event(SourceEvent("skipped", Reason.DECODE_ERROR))
    assert told(frame_link) == [("new", None)]
