"""A folder of marked files through the real daemon, and everything looked at that came of it."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from brokers import wait_until
from privacy.marked import IMAGE_UID, Markers, marked_file
from pydicom.uid import DeflatedExplicitVRLittleEndian, ImplicitVRLittleEndian

CONFIG = """
site = "lab"
device = "cart"
drain_timeout_s = 10.0

[publish]
results_per_s = 1000.0
health_every_s = 0.2
image_ref = {image_ref}

[log]
level = "debug"
format = "{log}"
"""


def marked_folder(tmp_path, markers):
    """Whole files in three encodings, and damaged ones, which give rise to error texts; secret names throughout."""
    folder = tmp_path / markers.text("folder")
    for number, syntax in enumerate((ImplicitVRLittleEndian, DeflatedExplicitVRLittleEndian, None), start=1):
        name = f"{number}-{markers.text('file name')}.dcm"
        marked_file(folder / name, markers, **({"syntax": syntax} if syntax else {}))
    whole = marked_file(folder / "a" / f"{markers.text('file name')}.dcm", markers).read_bytes()
    (folder / f"cut-pixels-{markers.text('file name')}.dcm").write_bytes(whole[:-40_000])
    (folder / f"cut-header-{markers.text('file name')}.dcm").write_bytes(whole[:9_000])
    (folder / f"no-dicom-{markers.text('file name')}.dcm").write_bytes(markers.text("content").encode() * 40)
    wrong = whole.replace(b"MONOCHROME2 ", markers.text("photometric").encode() + b"    ", 1)
    (folder / f"wrong-{markers.text('file name')}.dcm").write_bytes(wrong)
    odd_syntax = whole.replace(b"1.2.840.10008.1.2.1\0", b"2.25.88881234567890\0", 1)
    markers.made["2.25.88881234567890"] = "transfer syntax"
    (folder / f"syntax-{markers.text('file name')}.dcm").write_bytes(odd_syntax)
    return folder


def run(tmp_path, folder, sinks, image_ref, log):
    config = tmp_path / "edge.toml"
    config.write_text(CONFIG.format(image_ref=str(image_ref).lower(), log=log))
    command = [sys.executable, "-m", "edge.cli.main", "run", "--config", str(config), "--source", f"dicom://{folder}"]
    command += ["--runtime", "scripted://?distinct=1", "--state-dir", str(tmp_path / "state")]
    for sink in sinks:
        command += ["--sink", sink]
    done = subprocess.run(command, capture_output=True, cwd=tmp_path, timeout=90, check=False)
    assert done.returncode == 5, done.stderr.decode()  # the file of an odd transfer syntax is not judged
    return done


def rests_on_disk(tmp_path):
    """Names and contents of all that the daemon keeps."""
    for path in sorted((tmp_path / "state").rglob("*")):
        yield f"name of {path.name}", path.name.encode()
        if path.is_file():
            yield f"content of {path.name}", path.read_bytes()


def leaks(markers, things):
    return {name: found for name, data in things if (found := markers.found_in(data))}


@pytest.mark.broker
def test_no_marker_comes_out_anywhere(tmp_path, broker, subscriber):
    markers = Markers()
    folder = marked_folder(tmp_path, markers)
    out = tmp_path / "out.jsonl"
    done = run(tmp_path, folder, [broker.uri, f"jsonl://{out}"], image_ref=False, log="text")
    wait_until(lambda: [h for h in subscriber.on("lab/cart/state") if h.json["status"] == "offline"])
    topics = {heard.topic.removeprefix("edge/v1/lab/cart/") for heard in subscriber.heard}
    assert {"state", "health", "findings/dicom-1", "coverage/dicom-1", "results/dicom-1"} <= topics
    found = [heard.json for heard in subscriber.on("findings/dicom-1")]
    assert sum(f["lifecycle"] == "new" for f in found) >= 48
    assert {f["image_ref"] for f in found} == {None}
    assert b"skipped" in done.stderr  # the damaged ones were met
    things = [(heard.topic, heard.topic.encode() + b" " + heard.body) for heard in subscriber.heard]
    things += [("stderr", done.stderr), ("stdout", done.stdout), ("jsonl", out.read_bytes())]
    assert leaks(markers, [*things, *rests_on_disk(tmp_path)]) == {}


@pytest.mark.slow
def test_with_image_ref_the_image_uid_comes_out_and_nothing_else(tmp_path):
    markers = Markers()
    folder = marked_folder(tmp_path, markers)
    out = tmp_path / "out.jsonl"
    done = run(tmp_path, folder, [f"jsonl://{out}"], image_ref=True, log="json")
    lines = out.read_bytes().splitlines()
    with_uid = {json.loads(line)["topic"].split("/")[4] for line in lines if IMAGE_UID.encode() in line}
    assert with_uid == {"findings"}
    assert leaks(markers, [("stderr", done.stderr), ("stdout", done.stdout)]) == {}
    kept = leaks(markers, [("jsonl", out.read_bytes()), *rests_on_disk(tmp_path)])
    assert set().union(*(found for found in kept.values())) == {IMAGE_UID}
