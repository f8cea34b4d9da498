"""Overlays show what was received about a frame, and nothing else."""

from __future__ import annotations

import msgspec
import numpy as np
from demo_messages import DEVICE, WHOLE, coverage, finding, received, scene

from edge.contracts.results import Reason, Status
from edge.demo.message_log import describe_message
from edge.demo.overlays import draw_overlays, messages_by_frame
from edge.demo.summary import summarise
from edge.schema import examples


def test_frames_are_drawn_as_was_received_of_them():
    summary = summarise(received(*WHOLE, finding(5, frame=9, lifecycle="end", name="a")), DEVICE)
    summary.coverage[0] = coverage(1, Status.ABSTAINED, Reason.BLACK, since=4)
    by_frame = messages_by_frame(summary, "s")
    assert [(seq, each.status, len(each.lesions)) for seq, each in by_frame.items()] == [
        (0, Status.FINDING, 1),
        (4, Status.ABSTAINED, 0),
        (9, Status.FINDING, 1),
    ]
    drawn = draw_overlays("s", "phantom://?seed=1&frames=20", by_frame)
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


def test_an_uncertain_call_is_drawn_and_captioned_as_one():
    doubtful = msgspec.structs.replace(finding(1), call_uncertain=True)
    said = [messages_by_frame(summarise(received(each), DEVICE), "s") for each in (finding(1), doubtful)]
    certain, uncertain = (draw_overlays("s", "phantom://?seed=1&frames=2", each)[0] for each in said)
    assert "| suspicious |" in certain.caption
    assert "| suspicious, uncertain call |" in uncertain.caption
    assert not np.array_equal(certain.pixels[:480], uncertain.pixels[:480])
    assert "suspicious, uncertain call" in describe_message(doubtful)[1]
