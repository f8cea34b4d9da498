"""Whatever a file holds and however it is broken: no marker in any message, error or log of the pipeline."""

from __future__ import annotations

import contextlib
import io
import logging

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from privacy.basic_profile import KEYWORDS
from privacy.marked import IMAGE_UID, Markers, marked_file
from pydicom.uid import DeflatedExplicitVRLittleEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

from edge.app.compose import choose_model, make_guard
from edge.app.envelope import EnvelopeMaker
from edge.app.frame_link import MemoryFrameLink
from edge.config.settings import RuntimeSettings, Settings, StreamSettings
from edge.config.uri import parse_uri
from edge.contracts.errors import EdgeError
from edge.pipeline import loop
from edge.pipeline.analyser import Analyser
from edge.pipeline.capture import FrameCapture
from edge.pipeline.messages import Messages, Provenance
from edge.pipeline.reporter import Reporter
from edge.sources.dicom import DicomSource


def pipeline(path, image_ref):
    """All messages that ``path`` gives rise to, as they would be stored and sent."""
    stream = StreamSettings(name="s", source=f"dicom://{path}")
    config = Settings(streams=[stream], runtime=RuntimeSettings(uri="scripted://?distinct=1"))
    model = choose_model(config)
    analyser = Analyser(model.manifest, make_guard(config, model, isolated=False))
    frame_link = MemoryFrameLink()
    origin = Provenance(model.manifest, model.ref, image_ref)
    reporter = Reporter(config, Messages(EnvelopeMaker("device", "run").fields, origin), frame_link)
    capture = None
    try:
        capture = FrameCapture({"s": DicomSource(parse_uri(stream.source), stream)})
        loop.run(capture, analyser, reporter, lambda: False)
    finally:
        if capture is not None:
            capture.close()
        analyser.close()
    return [(topic, msgspec.json.encode(message)) for topic, message in (*frame_link.stored, *frame_link.sent)]


@contextlib.contextmanager
def logged():
    """What reaches the handlers of the root, as in the daemon. (pytest listens behind loggers that let nothing out.)"""
    text, root = io.StringIO(), logging.getLogger()
    handler, level = logging.StreamHandler(text), root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    try:
        yield text
    finally:
        root.removeHandler(handler)
        root.setLevel(level)


damages = st.one_of(
    st.just(None),
    st.tuples(st.just("cut"), st.floats(0.01, 0.99)),
    st.tuples(st.just("flip"), st.lists(st.tuples(st.floats(0, 1), st.integers(0, 255)), min_size=1, max_size=8)),
)


def damage(data, how):
    if how is None:
        return data
    kind, what = how
    if kind == "cut":
        return data[: max(200, int(len(data) * what))]
    changed = bytearray(data)
    header = len(data) - 3 * 64 * 80  # the pixels are the last: to damage them is dull
    for place, value in what:
        changed[min(header - 1, 132 + int((header - 132) * place))] = value
    return bytes(changed)


@pytest.mark.slow
@settings(max_examples=120, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    keywords=st.sets(st.sampled_from(KEYWORDS), max_size=60),
    syntax=st.sampled_from([ExplicitVRLittleEndian, ImplicitVRLittleEndian, DeflatedExplicitVRLittleEndian]),
    how=damages,
    image_ref=st.booleans(),
)
def test_no_marker_in_any_message_or_log(tmp_path, capfd, keywords, syntax, how, image_ref):
    markers = Markers()
    path = tmp_path / markers.text("folder") / f"{markers.text('file name')}.dcm"
    marked_file(path, markers, keywords=keywords, syntax=syntax, frames=3, size=(64, 80))
    path.write_bytes(damage(path.read_bytes(), how))
    with logged() as log:
        try:
            messages = pipeline(path, image_ref)
        except EdgeError:  # said to the one who named this path, when the daemon starts
            messages = []
    allowed = {IMAGE_UID} if image_ref else set()
    for topic, body in messages:
        found = markers.found_in(body)
        assert set(found) <= (allowed if topic.startswith("findings/") else set()), (topic, found)
    output = capfd.readouterr()
    for said in (log.getvalue(), output.out, output.err):
        assert markers.found_in(said.encode()) == {}
    if how is None:
        assert "ended" in log.getvalue()
        assert any(topic == "findings/s" for topic, _ in messages)


@pytest.mark.parametrize("keyword", ["Manufacturer", "ManufacturerModelName", "TransducerData"])
def test_what_the_profile_lets_stand_does_come_out(tmp_path, keyword):
    """So that the search is known to look where findings are."""
    markers = Markers()
    path = marked_file(tmp_path / "a.dcm", markers, keywords=(), frames=3, size=(64, 80))
    data = path.read_bytes()
    old = {"Manufacturer": b"ACME", "ManufacturerModelName": b"Scan", "TransducerData": b"LINEAR"}[keyword]
    marker = f"ZQX{7:05d}".encode()[: len(old)] if len(old) < 8 else b""
    assert data.count(old) == 1
    path.write_bytes(data.replace(old, marker))
    assert any(marker in body for _, body in pipeline(path, False))
