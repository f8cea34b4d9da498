"""A reporter with a recurrent step: what one exam, clip or broken stream leaves never reaches what comes after it."""

from __future__ import annotations

from dataclasses import replace

import msgspec
import pytest
from recurrent_steps import clip_step

from edge.app.envelope import EnvelopeMaker
from edge.app.frame_link import MemoryFrameLink
from edge.config.settings import RuntimeSettings, Settings, StreamSettings
from edge.contracts.finding import Finding, ModelRef, RuntimeRef
from edge.contracts.frames import SourceEvent
from edge.contracts.results import Reason
from edge.models.scripted_manifest import scripted_manifest
from edge.pipeline.messages import Messages, Provenance
from edge.pipeline.stream_reporter import StreamReporter

SECOND = 1_000_000_000
RUNTIME = RuntimeRef(name="scripted", delegate=None)


class ReportedCart:
    """One stream with a step; `show` gives it frames of a patient, told by where and how sure the lesion is."""

    def __init__(self, make) -> None:
        self.make, self.link, self.seq = make, MemoryFrameLink(), 0
        stream = StreamSettings(name="s", source="replay://x")
        model = ModelRef(name="m", version="1", sha256="00")
        messages = Messages(EnvelopeMaker("device", "run").fields, Provenance(scripted_manifest(), model, False))
        settings = Settings(streams=[stream], runtime=RuntimeSettings(uri="tflite://"))
        self.stream = StreamReporter(stream, settings, messages, self.link, clip_step(new_from=0.0, joins=True))
        self.tracker = self.stream._tracker

    def show(
        self, patient: int, *, study: str | None = None, clip: int = 0, geometry: int | None = None
    ) -> list[tuple]:
        """Show 20 frames; what was told meanwhile, without ids, times and numbers."""
        before = len(self.link.stored)
        for number in range(20):
            at = self.seq * SECOND // 15
            frame = self.make.frame(self.seq, clip=clip, study=study, captured_ns=at)
            frame = replace(frame, geometry=geometry)
            lesion = self.make.lesion(5 + 11 * patient)
            result = self.make.finding(
                self.seq, lesion, malignancy=0.1 + 0.3 * patient + 0.2 * (number > 12), captured_ns=at
            )
            self.stream.result(frame, msgspec.structs.replace(result, runtime=RUNTIME))
            self.seq += 1
        return [
            (m.lifecycle, m.lesions[0].box, m.clip and (m.clip.malignancy, m.clip.frames, m.clip.method))
            for _, m in self.link.stored[before:]
            if isinstance(m, Finding) and m.end_reason is None
        ] + [each.state.tobytes() for each in (self.tracker.open_tracks()[0].state, self.tracker.frame_state())]


def boundary(cart: ReportedCart, kind: str, patient: int) -> list[tuple]:
    """Draw a boundary of some kind, and show the next patient."""
    if kind == "study":
        return cart.show(patient, study="another")
    if kind == "clip":
        return cart.show(patient, clip=1)
    if kind == "geometry":
        return cart.show(patient, geometry=2)
    if kind == "request":
        cart.stream.begin_exam(cart.seq * SECOND // 15)
    elif kind == "lost":
        cart.stream.event(SourceEvent("lost", Reason.SOURCE_LOST, "gone"))
    else:
        cart.stream.stop()
        cart.stream.start()
    return cart.show(patient)


@pytest.mark.parametrize("kind", ["study", "clip", "geometry", "request", "lost", "stop"])
def test_what_is_told_of_a_patient_is_the_same_after_any_other(make, kind):
    told = []
    for others in ([], [0], [2, 0], [1, 2, 2]):
        cart = ReportedCart(make)
        for number, other in enumerate(others):
            cart.show(other, study=f"other {number}", clip=10 + number)
        if others:
            told.append(boundary(cart, kind, 1))
        else:
            told.append(cart.show(1))
    assert all(each == told[0] for each in told[1:])
    assert any(words == "gru" for each in told[0][:-2] if each[2] for words in each[2])
