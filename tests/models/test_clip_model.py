"""The recurrent step of a bundle, ``clip.tflite``: what is read, what is refused, and what stays as it was."""

from __future__ import annotations

import hashlib
import io

import msgspec
import numpy as np
import pytest
from recurrent_steps import FILE, MADE_FOR, clip_model, member

from edge.contracts.clip_model import ClipManifest
from edge.contracts.errors import ModelError
from edge.models.bundle import load_bundle
from edge.models.bundle_writer import append_zip
from edge.models.clip_model import is_clip_model, read_clip_model, write_clip_model


def with_step(editable_bundle, tmp_path, **changes):
    sha = hashlib.sha256(editable_bundle.graph).hexdigest()
    editable_bundle.extra["clip.tflite"] = member(sha, **changes)
    return editable_bundle.write(tmp_path / "m.tflite")


def test_a_bundle_may_have_a_step(editable_bundle, tmp_path):
    bundle = load_bundle(with_step(editable_bundle, tmp_path, new_from=0.7))
    assert bundle.clip is not None
    assert bundle.clip.manifest.new_from == 0.7


def test_without_one_the_rules_stay(editable_bundle, tmp_path):
    assert load_bundle(editable_bundle.write(tmp_path / "m.tflite")).clip is None


def test_a_bare_graph_of_that_name_is_passed_over_as_before(editable_bundle, tmp_path):
    editable_bundle.extra["clip.tflite"] = editable_bundle.graph
    assert load_bundle(editable_bundle.write(tmp_path / "m.tflite")).clip is None


def test_a_step_for_another_frame_model_is_refused(editable_bundle, tmp_path):
    editable_bundle.extra["clip.tflite"] = member("1" * 64)
    with pytest.raises(ModelError, match=r"clip\.tflite: it was made for another frame model"):
        load_bundle(editable_bundle.write(tmp_path / "m.tflite"))


def refused(data: bytes, words: str) -> None:
    with pytest.raises(ModelError, match=words) as error:
        read_clip_model(data, MADE_FOR)
    assert error.value.hint


def test_what_was_changed_is_refused():
    model = clip_model()
    body = FILE.read_bytes()
    bent = bytearray(body)
    bent[len(model.graph) // 2] ^= 1
    refused(bytes(bent), "bytes are not those")
    later = msgspec.structs.replace(model.manifest, features_version=2)
    refused(write_clip_model(model.graph, later, model.golden), "features of version 2")


@pytest.mark.parametrize(
    "change",
    [
        {"x": None},
        {"h": "short"},
        {"malignancy": "float"},
        {"presence": "still"},
        {"more": "extra"},
    ],
)
def test_a_golden_sequence_of_another_shape_or_without_movement_is_refused(change):
    model = clip_model()
    golden = {name: array.copy() for name, array in model.golden.items()}
    for name, how in change.items():
        if how is None:
            del golden[name]
        elif how == "short":
            golden[name] = golden[name][:50]
        elif how == "float":
            golden[name] = golden[name].astype(np.float32)
        elif how == "still":
            golden[name][:] = 3
        else:
            golden[name] = np.zeros(3, np.int8)
    refused(write_clip_model(model.graph, model.manifest, golden), "golden.npz")


def test_another_graph_is_refused(editable_bundle):
    manifest = ClipManifest(features_version=1, graph_sha256="", frame_model_sha256=MADE_FOR)
    refused(write_clip_model(editable_bundle.graph, manifest, clip_model().golden), "expected h, x to h, malignancy")


@pytest.mark.parametrize("body", [b"{}", b"[]", b"\xff", b'{"clip_version": 2}', b""])
def test_a_description_that_does_not_read_is_one_error(body):
    model = clip_model()
    golden = io.BytesIO()
    np.savez(golden, **model.golden)
    refused(append_zip(model.graph, {"clip.json": body, "golden.npz": golden.getvalue()}), "clip.json is not valid")


def test_cut_short_anywhere_it_is_refused_or_no_step():
    body = FILE.read_bytes()
    for end in range(0, len(body), 997):
        assert not is_clip_model(body[:end])
        with pytest.raises(ModelError):
            read_clip_model(body[:end], MADE_FOR)


def test_the_step_is_described(editable_bundle, tmp_path, capsys):
    from edge.cli.model_description import describe

    text = describe(load_bundle(with_step(editable_bundle, tmp_path, new_from=0.7, joins=True)))
    assert "says when a lesion is new (presence from 0.7) and joins the frames of a lesion" in text
