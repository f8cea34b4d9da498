"""Notes beside the stage times: what a stage stands for in this run, or why it has no number."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from edge.bench.samples import Samples


def stage_notes(samples: Samples, paced: bool, ready: bool, broker: str | None) -> dict[str, str]:
    """Notes by stage: what each stands for in this run, or why it has no number.

    Args:
        samples: of the run.
        paced: frames came at a rate, not as fast as they were asked for.
        ready: frames lay ready in memory; else a source made them.
        broker: which one acknowledged; None: none did.
    """
    notes = {"quantise": "copies into the tensor: its values are the pixels, nothing is computed"}
    if ready and paced:
        notes["capture"] = "from the instant the frame was due until the source gave it"
    elif ready:
        notes["capture"] = "not there: frames lie ready"
    if ready:
        notes["decode"] = "not there: frames are raw pixels"
    elif samples.column("capture").size:
        notes["decode"] = "not measured apart: part of capture"
    else:
        notes["capture"] = "not measured apart: part of decode"
    if not samples.column("handover").size:
        notes["handover"] = "no frame had a lesion to publish"
    published, judged = samples.column("ack").size, samples.column("result").size
    if broker is None:
        notes["ack"] = notes["path"] = "not measured: there is no broker (see --broker)"
    elif not published:
        notes["ack"] = notes["path"] = "not measured: no message of a frame was acknowledged"
    elif published < judged:
        notes["ack"] = notes["path"] = f"{published} of {judged} frames had a lesion to publish, and were acknowledged"
    return notes
