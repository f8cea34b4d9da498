"""Loading a bundle: a valid one is read, and anything else is one clear error."""

from __future__ import annotations

import hashlib
import io
import os
import struct
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from handmade_flatbuffer import Items, References, Table, flatbuffer

from edge.contracts.errors import ModelError
from edge.contracts.region import Region
from edge.models.bundle import SHIPPED_BUNDLE, load_bundle
from edge.models.bundle_file import BUNDLE_LIMITS, MAX_BUNDLE, MAX_MEMBERS, OPTIONAL_LIMITS, split_bundle

if TYPE_CHECKING:
    from tests.models.conftest import EditableBundle


def refused(path: Path, match: str) -> ModelError:
    with pytest.raises(ModelError, match=match) as caught:
        load_bundle(path)
    assert caught.value.hint, "an error without advice"
    assert "\n" not in caught.value.message
    return caught.value


def test_the_shipped_bundle_is_whole_and_small_enough_for_a_wheel(shipped_bytes):
    bundle = load_bundle()
    assert bundle.path == SHIPPED_BUNDLE
    assert bundle.sha256 == hashlib.sha256(shipped_bytes).hexdigest() == bundle.model_ref().sha256
    assert bundle.model_bytes == shipped_bytes
    assert len(shipped_bytes) < 6 * 2**20
    assert bundle.labels == ("benign", "malignant")
    assert "Research use only" in bundle.card
    assert bundle.manifest.body_part == "BREAST"
    assert len(bundle.golden) == len(bundle.golden.frames) == len(bundle.golden.regions) >= 4
    assert {name: values.shape for name, values in bundle.golden.expected(1).items()} == {
        name: head.tensor.shape for name, head in bundle.manifest.heads.items()
    }


def test_the_shipped_figures_have_intervals_and_the_data_licences():
    manifest = load_bundle().manifest
    assert manifest.metrics
    assert manifest.training_data
    assert all(m.low <= m.value <= m.high and m.n > 0 and m.data and m.method for m in manifest.metrics)
    assert all(d.licence and d.citation and d.used_for for d in manifest.training_data)
    assert manifest.not_shown


def test_a_bundle_without_weights_still_reads(editable_bundle: EditableBundle, shipped_bytes, tmp_path):
    bundle = load_bundle(editable_bundle.write(tmp_path / "slim.tflite"))
    assert bundle.size < len(shipped_bytes) / 2


def test_a_file_that_changes_under_our_feet_changes_nothing(editable_bundle: EditableBundle, tmp_path):
    path = editable_bundle.write(tmp_path / "slim.tflite")
    before = path.read_bytes()
    bundle = load_bundle(path)
    path.write_bytes(before[:-1])
    assert bundle.model_bytes == before
    assert Path(bundle.file).read_bytes() == before  # what any library opens
    assert bundle.path == path


# --- the file -----------------------------------------------------------------------------------------------------


def test_missing_folder_and_odd_paths(tmp_path):
    refused(tmp_path / "none.tflite", "does not exist")
    refused(tmp_path, "is a folder")
    with pytest.raises(ModelError):
        load_bundle("a\0b.tflite")


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_a_file_that_may_not_be_read(editable_bundle: EditableBundle, tmp_path):
    path = editable_bundle.write(tmp_path / "secret.tflite")
    path.chmod(0)
    refused(path, "cannot be read")


@pytest.mark.parametrize("body", [b"", b"TFL3", b"\x89PNG\r\n\x1a\n" + bytes(100), b"PK\x05\x06" + bytes(18)])
def test_no_flatbuffer(tmp_path, body):
    path = tmp_path / "model.tflite"
    path.write_bytes(body)
    assert "python -m export" in refused(path, "not a TFLite flatbuffer").hint


def test_a_file_larger_than_any_bundle_is_not_parsed(tmp_path):
    path = tmp_path / "large.tflite"
    with path.open("wb") as file:
        file.write(b"\x1c\0\0\0TFL3")
        file.truncate(MAX_BUNDLE + 1)
    refused(path, "is over 64 MB")


def test_a_bare_tflite_says_how_to_make_a_bundle(editable_bundle: EditableBundle, tmp_path):
    path = tmp_path / "bare.tflite"
    path.write_bytes(editable_bundle.graph)
    assert "python -m export bundle" in refused(path, "a bare .tflite, whole").hint


@pytest.mark.parametrize("signatures", [0, 2])
@pytest.mark.parametrize("kind", [17, 0])
def test_a_whole_model_that_no_bundle_could_hold_is_not_called_damaged(tmp_path, signatures, kind):
    """Made elsewhere: without a signature or with several, with tensors of types that are not known here."""
    tensor = Table({0: Items(1, struct.pack("<i", 4)), 1: struct.pack("<i", kind)})
    subgraph = Table({0: References(tensor, 3)})
    signature = {7: References(Table(), signatures)} if signatures else {}
    weights = References(Table({0: Items(5000, bytes(5000))}), 2)
    whole = flatbuffer(Table({2: References(subgraph, 1), 4: weights, **signature}))
    path = tmp_path / "classifier.tflite"
    path.write_bytes(whole)
    assert "python -m export bundle" in refused(path, "a bare .tflite, whole").hint
    path.write_bytes(whole[: len(whole) // 2])
    assert "copy the file again" in refused(path, "truncated or damaged").hint


@pytest.mark.parametrize("keep", [0.01, 0.3, 0.9, 0.999, 0.999999])
def test_truncated(shipped_bytes, tmp_path, keep):
    path = tmp_path / "cut.tflite"
    path.write_bytes(shipped_bytes[: int(len(shipped_bytes) * keep)])
    refused(path, "truncated|damaged")


# --- the ZIP ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["labels.txt", "manifest.json", "golden.npz", "MODEL_CARD.md"])
def test_a_missing_member_is_named(editable_bundle: EditableBundle, tmp_path, name):
    editable_bundle.members[name] = None
    refused(editable_bundle.write(tmp_path / "m.tflite"), f"{name} missing")


@pytest.mark.parametrize(
    "name",
    [
        "../../etc/passwd", "extra.bin", "manifest.json/", "../clip.tflite", "/clip.tflite", "a/clip.tflite",
        "clip.tflite/", "a\\clip.tflite", ".tflite", "..tflite", "clip.tflite.exe", "clip.tflite\n", "cl ip.tflite",
        "clïp.tflite", "a" * 60 + ".tflite", "clip.TFLITE", "clip.json", "classifier.tfl",
    ],
)  # fmt: skip
def test_only_known_members_and_tflite_files_are_allowed(editable_bundle: EditableBundle, tmp_path, name):
    editable_bundle.extra[name] = b"x"
    error = refused(editable_bundle.write(tmp_path / "m.tflite"), "not known")
    assert repr(name[:64]) in error.message


def test_a_name_that_readers_cut_in_different_places_is_refused(editable_bundle: EditableBundle, tmp_path):
    editable_bundle.extra["ab.tflite0.exe"] = b"x"
    path = editable_bundle.write(tmp_path / "m.tflite")
    path.write_bytes(path.read_bytes().replace(b"ab.tflite0.exe", b"ab.tflite\0.exe"))
    refused(path, "not known")


# --- optional members: room for what later versions bring -----------------------------------------------------------


def test_optional_members_are_listed_and_those_of_later_versions_passed_over(editable_bundle: EditableBundle, tmp_path):
    editable_bundle.extra = {"clip.tflite": editable_bundle.graph, "later-2.tflite": b"whatever it is"}
    assert len(editable_bundle.graph) < OPTIONAL_LIMITS["clip.tflite"]
    path = editable_bundle.write(tmp_path / "m.tflite")
    bundle = load_bundle(path)
    assert bundle.optional == {"clip.tflite": len(editable_bundle.graph), "later-2.tflite": 14}
    assert bundle.sha256 == hashlib.sha256(path.read_bytes()).hexdigest(), "they are of the file that findings name"
    parts = split_bundle(path.read_bytes())
    assert (parts.graph, parts.optional["later-2.tflite"]) == (editable_bundle.graph, b"whatever it is")
    assert sorted(parts.members) == sorted(BUNDLE_LIMITS)


def test_a_bundle_needs_no_optional_members():
    assert load_bundle().optional == {}


@pytest.mark.parametrize("name", ["clip.tflite", "later.tflite"])
def test_an_optional_member_over_its_limit_is_refused_by_name(editable_bundle: EditableBundle, tmp_path, name):
    editable_bundle.extra[name] = bytes(2**20 + 1)
    refused(editable_bundle.write(tmp_path / "m.tflite"), f"{name} has 1048577 bytes, expected at most 1048576")


def test_an_optional_member_of_just_its_limit(editable_bundle: EditableBundle, tmp_path):
    editable_bundle.extra["later.tflite"] = bytes(2**20)
    assert load_bundle(editable_bundle.write(tmp_path / "m.tflite")).optional == {"later.tflite": 2**20}


@pytest.mark.parametrize("body", [b"", b"no model", b"\x1c\0\0\0TFL3", b"\xff\xff\xff\xffTFL3" + bytes(100), None])
def test_a_known_optional_member_must_be_a_whole_model(editable_bundle: EditableBundle, tmp_path, body):
    editable_bundle.extra["clip.tflite"] = editable_bundle.graph[: len(editable_bundle.graph) // 2]
    if body is not None:
        editable_bundle.extra["clip.tflite"] = body
    refused(editable_bundle.write(tmp_path / "m.tflite"), "clip.tflite")


@pytest.mark.parametrize("name", ["clip.tflite", "later.tflite"])
def test_optional_members_are_stored_once_and_whole(editable_bundle: EditableBundle, tmp_path, name):
    editable_bundle.extra[name] = body = editable_bundle.graph
    path = editable_bundle.write(tmp_path / "m.tflite")
    whole = path.read_bytes()
    with pytest.warns(UserWarning, match="Duplicate"), zipfile.ZipFile(path, "a") as archive:
        archive.writestr(name, body)
    refused(path, "twice")
    at = whole.rindex(body[:64])
    path.write_bytes(whole[: at + 40] + bytes([whole[at + 40] ^ 1]) + whole[at + 41 :])
    refused(path, "ZIP is damaged")
    editable_bundle.extra[name] = None
    path = editable_bundle.write(tmp_path / "m.tflite")
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, bytes(2**19))
    refused(path, f"{name} is compressed")


def test_no_more_optional_members_than_are_listed(editable_bundle: EditableBundle, tmp_path):
    names = [f"later-{n}.tflite" for n in range(MAX_MEMBERS)]
    editable_bundle.extra = dict.fromkeys(names[: MAX_MEMBERS - len(BUNDLE_LIMITS)], b"x")
    assert len(load_bundle(editable_bundle.write(tmp_path / "m.tflite")).optional) == MAX_MEMBERS - len(BUNDLE_LIMITS)
    editable_bundle.extra = dict.fromkeys(names, b"x")
    refused(editable_bundle.write(tmp_path / "m.tflite"), "expected at most 16")


def test_the_same_member_twice(editable_bundle: EditableBundle, tmp_path):
    path = editable_bundle.write(tmp_path / "m.tflite")
    with pytest.warns(UserWarning, match="Duplicate"), zipfile.ZipFile(path, "a") as archive:
        archive.writestr("labels.txt", "benign\nmalignant")
    refused(path, "twice")


def test_a_compressed_member_could_be_a_bomb(editable_bundle: EditableBundle, tmp_path):
    editable_bundle.compression = zipfile.ZIP_DEFLATED
    editable_bundle.members["MODEL_CARD.md"] = b"a" * 10**6
    refused(editable_bundle.write(tmp_path / "m.tflite"), "is compressed")


def test_a_member_larger_than_its_limit(editable_bundle: EditableBundle, tmp_path):
    editable_bundle.members["labels.txt"] = b"a" * (2**16 + 1)
    refused(editable_bundle.write(tmp_path / "m.tflite"), "expected at most 65536")


def test_a_damaged_member_fails_its_checksum(editable_bundle: EditableBundle, tmp_path):
    editable_bundle.members["MODEL_CARD.md"] = b"the card says this"
    path = editable_bundle.write(tmp_path / "m.tflite")
    path.write_bytes(path.read_bytes().replace(b"the card says this", b"the card says that"))
    refused(path, "ZIP is damaged")


def test_text_that_is_no_text(editable_bundle: EditableBundle, tmp_path):
    editable_bundle.members["MODEL_CARD.md"] = b"\xff\xfe"
    refused(editable_bundle.write(tmp_path / "m.tflite"), "MODEL_CARD.md is not UTF-8")


# --- golden vectors -----------------------------------------------------------------------------------------------


def test_regions_come_back_with_and_without_millimetres(editable_bundle: EditableBundle, tmp_path):
    editable_bundle.golden["regions_000"] = np.array([[1, 2, 30, 40, 0.1, 0.2], [0, 0, 5, 5, np.nan, np.nan]])
    regions = load_bundle(editable_bundle.write(tmp_path / "m.tflite")).golden.regions[0]
    assert regions == (
        Region(box=(1, 2, 30, 40), mm_x=0.1, mm_y=0.2, source="phantom"),
        Region(box=(0, 0, 5, 5), source="phantom"),
    )


@pytest.mark.parametrize(
    ("name", "value", "match"),
    [
        ("frame_000", np.zeros((240, 320), np.float32), "frame 0"),
        ("frame_000", np.zeros((240, 320, 4), np.uint8), "frame 0"),
        ("frame_000", np.zeros((8, 8), np.uint8), "sides of"),
        ("regions_000", np.zeros((1, 5)), "regions 0"),
        ("regions_000", np.full((1, 6), 1e300), "regions 0"),
        ("regions_000", np.full((1, 6), np.nan), "regions 0"),
        ("regions_000", np.array([[0, 0, 9, 9, -1.0, 1.0]]), "regions 0"),
        ("tensors", np.zeros((1, 160, 160, 3), np.uint8), "expected tensors"),
        ("output_malignancy", np.zeros((1, 3), np.uint8), "expected output_malignancy"),
        ("stranger", np.zeros(1, np.uint8), "stranger"),
    ],
)
def test_golden_arrays_of_another_kind(editable_bundle: EditableBundle, tmp_path, name, value, match):
    editable_bundle.golden[name] = value
    refused(editable_bundle.write(tmp_path / "m.tflite"), match)


def test_golden_vectors_that_prove_nothing(editable_bundle: EditableBundle, tmp_path):
    sure = editable_bundle.golden["output_malignancy"].copy()
    sure[:] = (255, 1)
    editable_bundle.golden["output_malignancy"] = sure
    refused(editable_bundle.write(tmp_path / "m.tflite"), "proves nothing: no probability")


def test_golden_vectors_without_a_lesion(editable_bundle: EditableBundle, tmp_path):
    editable_bundle.golden["output_lesion_mask"] = np.zeros_like(editable_bundle.golden["output_lesion_mask"])
    refused(editable_bundle.write(tmp_path / "m.tflite"), "proves nothing: no mask")


def test_a_pickle_is_not_loaded(editable_bundle: EditableBundle, tmp_path):
    file = io.BytesIO()
    np.savez(file, frame_000=np.array([{"a": 1}], dtype=object))
    editable_bundle.members["golden.npz"] = file.getvalue()
    refused(editable_bundle.write(tmp_path / "m.tflite"), r"golden.npz cannot be read")


def test_a_header_that_claims_terabytes_takes_no_memory(editable_bundle: EditableBundle, tmp_path):
    npy = io.BytesIO()
    np.lib.format.write_array_header_1_0(npy, {"descr": "|u1", "fortran_order": False, "shape": (2**20, 2**20)})
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("tensors.npy", npy.getvalue())
    editable_bundle.members["golden.npz"] = file.getvalue()
    refused(editable_bundle.write(tmp_path / "m.tflite"), "in 0 bytes")


def test_a_zip_bomb_is_not_unpacked(editable_bundle: EditableBundle, tmp_path):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive, archive.open("frame_000.npy", "w") as member:
        for _ in range(65):
            member.write(bytes(2**20))
    assert len(file.getvalue()) < 10**5
    editable_bundle.members["golden.npz"] = file.getvalue()
    refused(editable_bundle.write(tmp_path / "m.tflite"), "over 64 MB")
