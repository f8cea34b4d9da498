"""Optional members of a bundle that gets a successor: a recurrent step belongs to the graph that it was fitted on."""

from __future__ import annotations

from recurrent_steps import member

from edge.models.bundle import SHIPPED_BUNDLE, load_bundle
from edge.models.bundle_file import split_bundle
from edge.models.bundle_writer import append_zip
from export.repack import optional_members


def test_a_changed_graph_leaves_its_recurrent_step_behind(tmp_path, capsys):
    parts = split_bundle(SHIPPED_BUNDLE.read_bytes())
    extra = {"clip.tflite": member(load_bundle(None).manifest.graph_sha256), "later.tflite": b"of a later version"}
    path = tmp_path / "own.tflite"
    path.write_bytes(append_zip(parts.graph, {**parts.members, **extra}))
    bundle = load_bundle(path)
    assert optional_members(bundle, parts.graph) == extra
    assert capsys.readouterr().err == ""
    assert set(optional_members(bundle, parts.graph + b"changed")) == {"later.tflite"}
    assert "clip.tflite is left out" in capsys.readouterr().err
