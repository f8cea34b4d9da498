"""What export writes can be read by other tools: TFLite metadata, order of outputs, ZIP, golden.npz."""

from __future__ import annotations

import io
import zipfile

import numpy as np
import pytest

from edge.contracts.errors import EdgeError
from edge.contracts.region import Region
from edge.models.bundle import SHIPPED_BUNDLE, load_bundle
from edge.models.bundle_file import split_bundle
from edge.models.graph import FlatbufferTable, read_graph
from export.bundle_file import append_zip, pack_golden, write_atomically
from export.converted_graph import add_metadata, check_quantisation, order_outputs, own_buffers
from export.predict import run_graph
from export.quantisation.graph_editor import GraphEditor
from export.quantisation.integer_check import check_integers
from export.tflite_metadata import write_metadata

HEADS = ("malignancy", "lesion_mask", "anatomy")


@pytest.fixture(scope="module")
def graph() -> bytes:
    return split_bundle(SHIPPED_BUNDLE.read_bytes()).graph


def metadata() -> bytes:
    return write_metadata(
        name="a name",
        description="words",
        version="1.2",
        author="someone",
        licence="Apache-2.0",
        outputs=[(name, f"about {name}") for name in HEADS],
    )


def test_metadata_stands_where_the_schema_has_it():
    body = metadata()
    assert body[4:8] == b"M001"
    model = FlatbufferTable(body, int.from_bytes(body[:4], "little"))
    assert [model.text(slot) for slot in (0, 1, 2, 4, 5, 7)] == [
        "a name",
        "words",
        "1.2",
        "someone",
        "Apache-2.0",
        "1.0.0",
    ]
    (subgraph,) = model.tables(3)
    (image,) = subgraph.tables(2)
    content = image.table(3)
    assert content is not None
    assert content.number(0, "B", 0) == 2  # ImageProperties
    properties = content.table(1)
    assert properties is not None
    assert properties.number(0, "b", 0) == 1  # RGB
    (unit,) = image.tables(4)
    assert unit.number(0, "B", 0) == 1  # NormalizationOptions
    options = unit.table(1)
    assert options is not None
    assert options.numbers(0, "f") == (0.0,)
    assert options.numbers(1, "f") == (1.0,)
    outputs = subgraph.tables(3)
    assert [each.text(0) for each in outputs] == list(HEADS)
    assert [[(f.text(0), f.number(2, "b", 0)) for f in each.tables(6)] for each in outputs] == [
        [("labels.txt", 2)],
        [],
        [],
    ]


def test_the_shipped_graph_carries_metadata(graph):
    model = FlatbufferTable(graph, int.from_bytes(graph[:4], "little"))
    entries = {entry.text(0): entry.number(1, "I", 0) for entry in model.tables(6)}
    body = model.tables(4)[entries["TFLITE_METADATA"]].blob(0)
    assert body[4:8] == b"M001"


def test_metadata_is_replaced_not_heaped_up(graph):
    once = add_metadata(graph, metadata())
    changed = add_metadata(once, metadata())
    assert changed == once
    assert load_bundle().manifest.version.encode() + b"\0" not in changed  # nothing of the old one is left
    model = FlatbufferTable(changed, int.from_bytes(changed[:4], "little"))
    assert [entry.text(0) for entry in model.tables(6)].count("TFLITE_METADATA") == 1
    assert read_graph(changed) == read_graph(graph)


def test_another_order_of_outputs_changes_nothing_but_the_order(graph):
    turned = order_outputs(graph, HEADS[::-1])
    assert read_graph(turned).first_output == "anatomy"
    assert read_graph(turned).outputs == read_graph(graph).outputs
    tensors = np.random.default_rng(0).integers(0, 256, (2, *load_bundle().manifest.input.shape[1:]), np.uint8)
    before, after = run_graph(graph, tensors), run_graph(turned, tensors)
    assert before.keys() == after.keys()
    assert all(np.array_equal(before[name], after[name]) for name in before)
    assert order_outputs(turned, HEADS) == order_outputs(graph, HEADS)


def test_no_two_tensors_share_a_buffer_and_nothing_else_changes(graph):
    """Else XNNPACK's weight cache takes one operator's packed weights, and its steps, for another's."""

    def constants(data):
        editor = GraphEditor(data)
        found = {i: editor.constant(i) for i in range(len(editor.tensors))}
        used = [editor.tensors[i].buffer for i, value in found.items() if value is not None]
        return editor, {i: value for i, value in found.items() if value is not None}, used

    editor, before, shipped = constants(graph)
    assert len(set(shipped)) == len(shipped), "export has seen to it"
    first, second = list(before)[:2]
    editor.tensors[second].buffer = editor.tensors[first].buffer  # as the converter does with equal ones
    shared, before, used = constants(editor.pack())
    assert len(set(used)) < len(used)
    _, after, own = constants(own_buffers(shared.pack()))
    assert len(set(own)) == len(own)
    assert before.keys() == after.keys()
    assert all(np.array_equal(before[i], after[i]) for i in before)


def test_heads_of_other_names_are_refused(graph):
    with pytest.raises(EdgeError, match="expected the heads malignancy, mask, got anatomy"):
        order_outputs(graph, ("malignancy", "mask"))


def test_the_shipped_graph_is_quantised_as_devices_need_it(graph):
    assert list(check_quantisation(graph).inputs) == ["image"]


def test_an_operator_that_stayed_in_floats_is_named(graph):
    check_integers(graph)
    editor = GraphEditor(graph)
    resize = next(op for op in editor.operators if editor.kind(op) == "RESIZE_BILINEAR")
    editor.tensors[int(resize.outputs[0])].type = 0
    with pytest.raises(EdgeError, match="1 ADD, 1 RESIZE_BILINEAR would compute floats"):
        check_integers(editor.pack())


def test_equal_contents_give_equal_bytes_that_any_zip_reader_opens(graph):
    members = {"labels.txt": b"benign\nmalignant", "manifest.json": b"{}"}
    first = append_zip(graph, members)
    assert first == append_zip(graph, members)
    assert first.startswith(graph)
    with zipfile.ZipFile(io.BytesIO(first)) as archive:
        assert archive.testzip() is None
        assert {info.filename: info.compress_type for info in archive.infolist()} == dict.fromkeys(
            members, zipfile.ZIP_STORED
        )


def test_golden_arrays_open_in_numpy():
    frame = np.arange(300, dtype=np.uint8).reshape(15, 20)
    places = [(Region((0, 0, 9, 9), 0.1, 0.2, "phantom"), Region((1, 1, 2, 2)))]
    packed = pack_golden([frame], places, np.zeros((1, 4, 4, 3), np.uint8), {"anatomy": np.ones((1, 1), np.uint8)})
    assert packed == pack_golden(
        [frame], places, np.zeros((1, 4, 4, 3), np.uint8), {"anatomy": np.ones((1, 1), np.uint8)}
    )
    with np.load(io.BytesIO(packed)) as file:
        assert sorted(file.files) == ["frame_000", "output_anatomy", "regions_000", "tensors"]
        assert np.array_equal(file["frame_000"], frame)
        assert file["regions_000"][0].tolist() == [0, 0, 9, 9, 0.1, 0.2]
        assert np.isnan(file["regions_000"][1, 4:]).all()


def test_a_file_is_written_whole_or_not_at_all(tmp_path, monkeypatch):
    path = tmp_path / "new" / "model.tflite"
    write_atomically(path, b"old")
    monkeypatch.setattr("os.replace", lambda *_: (_ for _ in ()).throw(OSError("disk full")))
    with pytest.raises(OSError, match="disk full"):
        write_atomically(path, b"new")
    assert path.read_bytes() == b"old"
