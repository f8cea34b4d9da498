"""A stranger's file: its signature is verified before it is parsed, and parsing keeps to limits of work and memory."""

from __future__ import annotations

import io
import os
import struct
import time
import tracemalloc
import zipfile

import numpy as np
import pytest
from handmade_flatbuffer import Items, References, Table, flatbuffer
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.contracts.errors import EdgeError, ModelError
from edge.models import bundle as bundle_module
from edge.models import classifier, graph
from edge.models.bundle import load_bundle
from edge.models.bundle_file import split_bundle
from edge.models.golden_vectors import MAX_UNPACKED
from edge.models.graph import MAX_TABLES, FlatbufferTable, ReadBudget, read_graph
from edge.models.operators import read_operators
from edge.models.signature import SignaturePolicy, signature_path
from edge.models.zip_directory import open_zip

MEMORY = 48 * 2**20
"""Most bytes that reading a graph may take, whatever the file says: `MAX_TABLES` tables and what is listed of them."""
HANG_S = 30.0


def limited(call, *args, memory=MEMORY):
    """What ``call`` raises or returns, and that it took no more than ``memory``, nor as long as a hang."""
    tracemalloc.start()
    began = time.monotonic()
    try:
        outcome = call(*args)
    except EdgeError as error:
        outcome = error
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert not isinstance(outcome, EdgeError) or outcome.hint
    assert peak < memory, f"{peak / 2**20:.0f} MB"
    assert time.monotonic() - began < HANG_S
    return outcome


# --- signature first ----------------------------------------------------------------------------------------------


@pytest.fixture
def parsed(monkeypatch):
    """What was parsed: empty, where nothing was."""
    found = []
    for module in (bundle_module, classifier):
        real = module.split_bundle
        monkeypatch.setattr(module, "split_bundle", lambda *args, real=real: (found.append(args), real(*args))[1])
    return found


@pytest.mark.parametrize("signature", [None, b"{}", b"no signature", "of a stranger"])
def test_nothing_is_parsed_of_a_file_that_no_trusted_key_signed(tmp_path, parsed, signature, weightless_bytes):
    pytest.importorskip("cryptography", reason="signatures are checked with the extra 'signed'")
    from cryptography.hazmat.primitives.asymmetric import ec
    from signing import sign, write_public_key

    path = tmp_path / "model.tflite"
    path.write_bytes(weightless_bytes)
    if signature == "of a stranger":
        sign(path, ec.generate_private_key(ec.SECP256R1()))
    elif signature is not None:
        signature_path(path).write_bytes(signature)
    key = ec.generate_private_key(ec.SECP256R1())
    policy = SignaturePolicy((write_public_key(tmp_path / "key.pub", key),), required=True)
    with pytest.raises(ModelError, match=r"signature model\.tflite\.sig"):
        load_bundle(path, policy)
    assert not parsed
    sign(path, key)
    assert load_bundle(path, policy).signer is not None
    assert parsed


@pytest.mark.parametrize("command", ["info", "verify"])
def test_the_commands_too_verify_before_they_parse(tmp_path, parsed, command, weightless_bytes, capsys):
    pytest.importorskip("cryptography", reason="signatures are checked with the extra 'signed'")
    from cryptography.hazmat.primitives.asymmetric import ec
    from signing import sign, write_public_key

    from edge.cli.main import run

    key = ec.generate_private_key(ec.SECP256R1())
    path, public = tmp_path / "model.tflite", write_public_key(tmp_path / "key.pub", key)
    path.write_bytes(weightless_bytes)
    assert run(["model", command, str(path), "--key", public]) == 4
    assert "takes signed models alone" in capsys.readouterr().err
    assert not parsed
    sign(path, key)
    run(["model", command, str(path), "--key", public])
    assert parsed


@pytest.mark.parametrize("kind", ["pipe", "device"])
def test_what_is_no_file_is_not_waited_for(tmp_path, kind):
    path = tmp_path / "model.tflite"
    if kind == "pipe":
        os.mkfifo(path)
    else:
        path.symlink_to("/dev/zero")
    with pytest.raises(ModelError, match="no regular file"):
        load_bundle(path)


# --- graphs that look larger than they are ----------------------------------------------------------------------------


def ints(*values):
    return Items(len(values), struct.pack(f"<{len(values)}i", *values))


SHAPE, INPUTS = ints(1, 2), ints(0, 0)


def a_graph(tensors=1, buffers=1, heads=1, operators=1, shape=SHAPE, name=b"head", inputs=INPUTS):
    """A model with one of each part, referred to so many times."""
    quantisation = Table({2: Items(1, struct.pack("<f", 0.5)), 3: Items(1, struct.pack("<q", 3))})
    tensor = Table({0: shape, 4: quantisation})
    operator = Table({1: inputs, 2: ints(0)})
    head = References(Table({0: Items(len(name), name)}), heads)
    subgraph = Table({0: References(tensor, tensors), 2: ints(0), 3: References(operator, operators)})
    weights = References(Table({0: Items(2**22, bytes(2**22))}), buffers)
    code = References(Table({0: struct.pack("<i", 3)}), 1)
    subgraphs, signature = References(subgraph, 1), References(Table({0: head, 1: head}), 1)
    return flatbuffer(Table({1: code, 2: subgraphs, 4: weights, 7: signature}))


MANY = 20_000
BOMBS = {
    "one buffer of 4 MB, 20,000 times": {"buffers": MANY},
    "a million tables": {"buffers": 1_000_000},
    "tensors": {"tensors": MANY, "operators": MANY // 4},
    "one list of inputs for all operators": {"operators": MANY, "inputs": ints(*[0] * 10_000)},
    "one shape for all tensors": {"tensors": MANY, "heads": 2, "shape": ints(*range(1, 9))},
    "a shape of a million": {"shape": ints(*[2**31 - 1] * 1_000_000)},
    "heads": {"heads": MANY, "name": b"x" * 1024},
    "a name of 4 MB": {"name": b"x" * 2**22},
}


def test_a_graph_made_by_hand_is_read():
    found = read_graph(a_graph())
    assert found.inputs == found.outputs
    assert (found.inputs["head"].shape, found.inputs["head"].scale, found.inputs["head"].zero_point) == ((1, 2), 0.5, 3)
    assert [operator.kind for operator in read_operators(a_graph())] == ["CONV_2D"]


@pytest.mark.parametrize("bomb", BOMBS)
@pytest.mark.parametrize("read", [read_graph, read_operators])
def test_what_looks_larger_than_it_is_ends_soon_and_in_little_memory(read, bomb):
    data = a_graph(**BOMBS[bomb])
    limited(read, memoryview(data))


def test_tables_that_are_listed_without_end_are_refused():
    for read in (read_graph, read_operators):
        with pytest.raises(ModelError, match=f"over {MAX_TABLES} tables"):
            read(a_graph(buffers=1_000_000))


@pytest.mark.slow
@settings(max_examples=150, derandomize=True)
@given(data=st.data())
def test_a_fuzzed_graph_is_read_within_the_limits(weightless_bytes, data):
    body = bytearray(split_bundle(weightless_bytes).graph)
    places = st.integers(0, len(body) // 4 - 1)
    words = st.one_of(st.integers(0, 64), st.integers(0, len(body)), st.integers(2**32 - 256, 2**32 - 1))
    for at, value in data.draw(st.lists(st.tuples(places, words), min_size=1, max_size=8)):
        struct.pack_into("<I", body, 4 * at, value)
    tables = 0

    class Counted(ReadBudget):
        def take_tables(self, number):
            nonlocal tables
            tables += number
            super().take_tables(number)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(graph, "ReadBudget", Counted)
        for read in (read_graph, read_operators):
            tables = 0
            limited(read, bytes(body))
            assert tables <= 2 * MAX_TABLES


# --- ZIPs and arrays ----------------------------------------------------------------------------------------------


def with_members(graph_bytes, names, body=b""):
    file = io.BytesIO(graph_bytes)
    file.seek(0, os.SEEK_END)
    with zipfile.ZipFile(file, "a") as archive:
        for name in names:
            archive.writestr(name, body)
    return file.getvalue()


@pytest.mark.slow
def test_a_directory_of_a_hundred_thousand_members_is_not_listed(weightless_bytes, tmp_path):
    path = tmp_path / "m.tflite"
    path.write_bytes(with_members(split_bundle(weightless_bytes).graph, [str(i) for i in range(40_000)]))
    size = path.stat().st_size
    for read in (load_bundle, classifier.is_classifier):
        outcome = limited(read, path, memory=4 * size + 2**20)
        assert outcome is False or "members" in outcome.message


def test_a_directory_that_says_few_and_lists_many(weightless_bytes):
    data = bytearray(with_members(split_bundle(weightless_bytes).graph, [str(i) for i in range(10_000)]))
    struct.pack_into("<HH", data, len(data) - 14, 4, 4)
    with pytest.raises(ModelError, match="lists 4 members in"):
        split_bundle(bytes(data))


@pytest.mark.parametrize("packing", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_packing_that_unpacks_without_a_limit_is_refused(editable_bundle, tmp_path, packing):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", packing) as archive:
        archive.writestr("tensors.npy", bytes(2**20))
    editable_bundle.members["golden.npz"] = file.getvalue()
    outcome = limited(load_bundle, editable_bundle.write(tmp_path / "m.tflite"))
    assert "packed in a way" in outcome.message


def test_members_that_share_bytes_are_refused():
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a", os.urandom(1000))
        first = archive.infolist()[0]
        for name in "bcdefgh":
            again = zipfile.ZipInfo(name)
            for what in ("header_offset", "compress_size", "file_size", "CRC", "compress_type"):
                setattr(again, what, getattr(first, what))
            archive.filelist.append(again)
    with pytest.raises(ModelError, match="share bytes"):
        open_zip(file.getvalue(), 16, "golden.npz")


@pytest.mark.slow
def test_golden_vectors_that_unpack_to_more_than_they_may(editable_bundle, tmp_path):
    editable_bundle.golden["tensors"] = np.zeros((MAX_UNPACKED, 1), np.uint8)
    outcome = limited(load_bundle, editable_bundle.write(tmp_path / "m.tflite"), memory=3 * MAX_UNPACKED)
    assert f"over {MAX_UNPACKED // 2**20} MB" in outcome.message


@pytest.mark.parametrize("body", [b"[" * 2**20, b'{"a":' * 2**17, b'{"heads":' + b"[" * 2**19, b"1" * 2**20])
def test_a_deep_manifest_is_refused(editable_bundle, tmp_path, body):
    editable_bundle.members["manifest.json"] = body
    outcome = limited(load_bundle, editable_bundle.write(tmp_path / "m.tflite"))
    assert "manifest.json is not valid" in outcome.message


def test_a_view_is_read_as_bytes_are(shipped_bytes):
    assert read_graph(memoryview(shipped_bytes)) == read_graph(shipped_bytes)
    assert FlatbufferTable(shipped_bytes, struct.unpack_from("<I", shipped_bytes)[0]).length(99) == 0
