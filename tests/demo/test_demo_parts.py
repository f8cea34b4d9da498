"""The parts of the demo: counting, telling, comparing, drawing, and the page."""

from __future__ import annotations

import re
from functools import cache
from html.parser import HTMLParser

import msgspec
import numpy as np
import pytest

from edge.contracts.coverage import Coverage, Interval
from edge.contracts.errors import SinkError, SourceError
from edge.contracts.finding import Finding, FrameRef
from edge.contracts.results import Lesion, Reason, Status
from edge.contracts.state import Will
from edge.demo.ground_truth import compare
from edge.demo.message_log import END_REASONS, SHOWN, rows, tell
from edge.demo.overlays import draw_overlays, messages_by_frame
from edge.demo.page import PageFigure, PageRow, PageSection, page
from edge.demo.scenarios import (
    HeartScenario,
    PhantomScenario,
    heart_path,
    heart_scenario,
    input_scenario,
    phantom_scenario,
)
from edge.demo.subscriber import DemoSubscriber, ReceivedMessage, decode
from edge.demo.summary import missing_parts, summarise
from edge.phantom.scene import PhantomScene, PhantomSpec
from edge.schema import examples

DEVICE = examples.HEAD["device"]


def received(*messages, device=DEVICE):
    suffixes = {"finding/1": "findings/s", "coverage/1": "coverage/s", "state/1": "state", "health/1": "health"}
    return [
        ReceivedMessage(n, n / 10, device, suffixes.get(message.schema, "results/s"), False, message)
        for n, message in enumerate(messages, start=1)
    ]


def coverage(seq, status, reason=None, frames=0, before=Status.NO_RESULT, why=Reason.STARTING, since=0) -> Coverage:
    previous = Interval(status=before, reason=why, from_mono_ns=0, to_mono_ns=1, frames=frames) if frames else None
    return msgspec.structs.replace(
        examples.coverage(), seq=seq, status=status, reason=reason, since_frame=since, previous=previous, stream="s"
    )


def finding(seq, frame=0, lifecycle="new", end_reason=None, name="a", lesion=examples.LESION) -> Finding:
    return msgspec.structs.replace(
        examples.finding(),
        seq=seq,
        stream="s",
        finding_id=name,
        lifecycle=lifecycle,
        end_reason=end_reason,
        frame=FrameRef(seq=frame, age_ms=5.0),
        lesions=[lesion],
    )


ONLINE = msgspec.structs.replace(examples.state(), status="online")
OFFLINE = msgspec.structs.replace(examples.state(), status="offline")
WHOLE = [
    ONLINE,
    coverage(1, Status.NO_RESULT, Reason.STARTING),
    finding(2),
    coverage(3, Status.FINDING),
    examples.health(),
    coverage(4, Status.NO_RESULT, Reason.STREAM_ENDED, frames=30, before=Status.FINDING, why=None),
    OFFLINE,
]


def test_a_whole_run_lacks_nothing():
    summary = summarise(received(*WHOLE), DEVICE)
    assert missing_parts(summary) == []
    assert summary.judged(Status.FINDING) == 30
    assert (summary.durable, summary.missing, len(summary.lesions)) == (4, 0, 1)


def test_repeats_are_counted_once_and_others_messages_not_at_all():
    twice = received(*WHOLE, WHOLE[2], WHOLE[5]) + received(finding(9), device="other")
    summary = summarise(twice, DEVICE)
    assert (summary.durable, len(summary.lesions), summary.judged(Status.FINDING)) == (4, 1, 30)


@pytest.mark.parametrize(
    ("without", "problem"),
    [
        (ONLINE, "no birth (state)"),
        (OFFLINE, "no goodbye (state)"),
        (WHOLE[2], "1 of its numbered messages did not arrive"),
    ],
)
def test_what_did_not_arrive_is_said(without, problem):
    assert missing_parts(summarise(received(*[m for m in WHOLE if m is not without]), DEVICE)) == [problem]


def test_silence_is_a_failure_in_every_act():
    nothing = summarise([], "demo-phantom")
    for act in (phantom_scenario(), heart_scenario()):
        assert {"no birth (state)", "no coverage"} <= set(act.outcome(nothing).problems)
    assert "no finding, though there is a lesion in the phantom" in phantom_scenario().outcome(nothing).problems
    assert "no health" in phantom_scenario().outcome(nothing).problems
    assert "a heart was not refused as the wrong anatomy" in heart_scenario().outcome(nothing).problems


@cache
def scene() -> PhantomScene:
    return PhantomScene(PhantomSpec(seed=1, lesions=1))


def true_lesion(frame=0) -> Lesion:
    """What a perfect model would report of the demo's phantom."""
    truth = scene().render(frame).lesions[0]
    return Lesion(
        box=truth.box,
        outline=[tuple(point) for point in truth.outline_px.tolist()],
        centre=truth.centre,
        score=0.9,
        long_axis_mm=truth.long_axis_mm,
        short_axis_mm=truth.short_axis_mm,
        area_mm2=truth.area_mm2,
        mm_uncertainty=1.0,
    )


def phantom_run(lesion, frames=75):
    told = [msgspec.structs.replace(m, lesions=[lesion]) if isinstance(m, Finding) else m for m in WHOLE]
    told[5] = coverage(4, Status.NO_RESULT, Reason.STREAM_ENDED, frames=frames, before=Status.FINDING, why=None)
    return PhantomScenario(DEVICE, "", "", []).outcome(summarise(received(*told), DEVICE))


def test_the_phantom_act_wants_the_lesion_where_it_is_measured_and_every_frame():
    good = phantom_run(true_lesion())
    assert good.problems == []
    assert any(re.search(r"measured [\d.]+ x [\d.]+ mm .*true size [\d.]+ x [\d.]+ mm", fact) for fact in good.facts)
    elsewhere = msgspec.structs.replace(true_lesion(), centre=(1.0, 1.0))
    assert phantom_run(elsewhere).problems == ["what was found is not where the phantom's lesion is"]
    unmeasured = msgspec.structs.replace(true_lesion(), long_axis_mm=None)
    assert phantom_run(unmeasured).problems == ["the lesion was not measured, though the phantom is calibrated"]
    assert phantom_run(true_lesion(), frames=70).problems == ["coverage accounts for 70 of 75 frames"]


def test_the_heart_act_wants_a_refusal():
    refused = [
        coverage(1, Status.ABSTAINED, Reason.WRONG_ANATOMY),
        coverage(
            2, Status.NO_RESULT, Reason.STREAM_ENDED, frames=30, before=Status.ABSTAINED, why=Reason.WRONG_ANATOMY
        ),
    ]
    act = HeartScenario(DEVICE, "", "", [])
    good = act.outcome(summarise(received(ONLINE, *refused, examples.health(), OFFLINE), DEVICE))
    assert good.problems == []
    assert good.sentence.endswith("30 frames: 30 abstained (wrong_anatomy).")


def test_sizes_are_compared_with_the_truth_of_the_same_frame():
    spec = PhantomSpec(seed=1, lesions=1)
    (one,) = compare([finding(1, frame=40, lesion=true_lesion(40))], spec)
    assert one.true == pytest.approx(one.measured)
    assert compare([finding(1, lesion=msgspec.structs.replace(examples.LESION, long_axis_mm=None))], spec) == []


def test_every_kind_of_message_is_told_with_its_meaning():
    will = Will(device=DEVICE, run_id="run")
    for message in (*WHOLE, will, examples.result(), msgspec.structs.replace(ONLINE, status="degraded")):
        kind, what, meaning = tell(message)
        assert kind
        assert what
        assert len(meaning) > 10
        assert "healthy" not in what + meaning
    for reason in END_REASONS:
        assert END_REASONS[reason] in tell(finding(1, lifecycle="end", end_reason=reason))[2]
    assert "clean goodbye" in tell(OFFLINE)[2]
    assert "broker says it" in tell(will)[2]
    assert "before: 30 frames of finding" in tell(WHOLE[5])[1]
    starting = msgspec.structs.replace(ONLINE, status="degraded", reasons=["starting"])
    assert "loads its model" in tell(starting)[2]
    assert (
        missing_parts(summarise(received(starting, *WHOLE[1:]), DEVICE)) == []
    )  # through before it was ready to say so


def test_the_story_counts_what_it_does_not_show():
    many = [finding(n, frame=n, lifecycle="update") for n in range(1, 20)]
    told = rows(received(*many, *WHOLE), DEVICE)
    updates = [row for row in told if row.what.startswith("update")]
    assert len(updates) == SHOWN["update"]
    assert f"and {19 - SHOWN['update']} more (update)" in [row.what for row in told]
    assert rows(received(*WHOLE), "nobody") == []


def test_frames_are_drawn_as_was_said_of_them():
    summary = summarise(received(*WHOLE, finding(5, frame=9, lifecycle="end", name="a")), DEVICE)
    summary.coverage[0] = coverage(1, Status.ABSTAINED, Reason.BLACK, since=4)
    said = messages_by_frame(summary, "s")
    assert [(seq, each.status, len(each.lesions)) for seq, each in said.items()] == [
        (0, Status.FINDING, 1),
        (4, Status.ABSTAINED, 0),
        (9, Status.FINDING, 1),
    ]
    drawn = draw_overlays("s", "phantom://?seed=1&frames=20", said)
    assert [picture.seq for picture in drawn] == [0, 4, 9]
    assert "frame 4: not judged: the picture is black" in drawn[1].caption
    assert all(picture.pixels.shape[1:] == (640, 3) for picture in drawn)
    plain = np.repeat(scene().pixels(9)[:, :, None], 3, axis=2)
    changed = (drawn[2].pixels[:480] != plain).any(axis=2)
    x, y, w, h = examples.LESION.box
    assert changed[y : y + h, x : x + w].any()
    changed[max(0, y - 12) : y + h + 12, max(0, x - 12) : x + w + 12] = False
    assert not changed.any()


def test_two_lesions_of_a_frame_are_drawn_together_and_many_frames_thinned():
    both = summarise(received(finding(1, name="a"), finding(2, name="b"), finding(3, name="a")), DEVICE)
    assert len(messages_by_frame(both, "s")[0].lesions) == 2
    many = summarise(received(*[finding(n, frame=n, lifecycle="update") for n in range(1, 30)]), DEVICE)
    assert list(messages_by_frame(many, "s")) == [1, 15, 29]


def test_own_pictures_are_found_and_nothing_is_an_error(tmp_path):
    with pytest.raises(SourceError, match="nothing to analyse"):
        input_scenario(tmp_path)
    with pytest.raises(SourceError, match="there is no such file"):
        input_scenario(tmp_path / "missing.png")
    (tmp_path / "a b?.dcm").write_bytes(b"")
    act = input_scenario(tmp_path)
    assert act.sources == [f"dicom://{tmp_path}/a%20b%3F.dcm"]
    assert list(act.streams()) == ["dicom-1"]


def test_the_heart_is_in_pydicom():
    assert heart_path().is_file()


class Checker(HTMLParser):
    VOID = {"meta", "img", "br"}

    def __init__(self):
        super().__init__()
        self.open, self.links, self.tags = [], [], set()

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.links += [value for name, value in attrs if name in ("src", "href")]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def test_the_page_is_whole_escaped_and_fetches_nothing():
    nasty = "<script>alert('1')</script> & \"x\""
    section = PageSection(nasty, nasty, nasty, good=False, facts=[nasty])
    section.figures.append(PageFigure(b"\xff\xd8jpeg", 10, 10, nasty))
    section.lines.append(PageRow((nasty,) * 5, nasty))
    text = page(nasty, nasty, [section], nasty, nasty)
    checker = Checker()
    checker.feed(text)
    assert checker.open == []
    assert "script" not in checker.tags
    assert all(link.startswith("data:image/jpeg;base64,") for link in checker.links)
    assert len(checker.links) == 1
    assert "url(" not in text
    assert "@import" not in text
    assert "Research use only" in text
    assert "prefers-color-scheme: dark" in text


@pytest.mark.broker
def test_the_listener_writes_down_what_comes_and_what_is_strange(broker, subscriber):
    listener = DemoSubscriber("127.0.0.1", broker.port, "clinic-a")
    try:
        subscriber.publish("edge/v1/clinic-a/cart-7/state", msgspec.json.encode(ONLINE), retain=True)
        subscriber.publish("edge/v1/clinic-b/cart-7/state", msgspec.json.encode(ONLINE))
        subscriber.publish("edge/v1/clinic-a/cart-7/findings/s", b'{"schema": "finding/1"}')
        subscriber.publish("edge/v1/clinic-a/cart-7/findings/s", msgspec.json.encode(finding(1)))
        assert listener.wait_for(lambda each: isinstance(each.message, Finding), 5)
        first, second = listener.received()
        assert (first.number, first.device, first.suffix, first.message) == (1, "cart-7", "state", ONLINE)
        assert (second.suffix, second.message) == ("findings/s", finding(1))
        assert listener.strange == ["edge/v1/clinic-a/cart-7/findings/s"]
        assert not listener.wait_for(lambda each: isinstance(each.message, Will), 0.1)
    finally:
        listener.close()
        listener.close()


def test_no_broker_is_said():
    with pytest.raises(SinkError, match="does not answer"):
        DemoSubscriber("127.0.0.1", 1, "clinic-a")


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"schema": "other/1"}', b'{"schema": "health/1"}', b"\xff"])
def test_what_is_no_message_of_ours_is_refused(body):
    with pytest.raises((msgspec.MsgspecError, KeyError)):
        decode(body)
