"""States of the page: how each is brought about on the rig, and what the page must then say."""

from __future__ import annotations

import os
import signal
from dataclasses import dataclass
from typing import TYPE_CHECKING

from viewer_rig import LABELLING, MODEL, Scene, ViewerRig

from edge.contracts.frames import SourceEvent
from edge.contracts.labels import LabelScore
from edge.contracts.results import Reason, Status

if TYPE_CHECKING:
    from collections.abc import Callable

LABELS = (
    LabelScore("nodule", 0.81),
    LabelScore("cyst", 0.13),
    LabelScore("normal tissue", 0.04),
    LabelScore("other", 0.02),
)


def show(scene: Scene) -> Callable[[ViewerRig], None]:
    """Function that makes the rig show a scene."""
    return lambda rig: rig.show("cart", scene)


def lose(rig: ViewerRig) -> None:
    """Loses the source after it was seen."""
    rig.event("cart", SourceEvent("lost", Reason.SOURCE_LOST))


def hang(rig: ViewerRig) -> None:
    """Hangs the frame process."""
    rig.turns = False


def cut_off(rig: ViewerRig) -> None:
    """Stops the viewer's process, as a machine that is cut off: no connection is closed."""
    assert rig.child.child is not None
    os.kill(rig.child.child.pid, signal.SIGSTOP)


def label(rig: ViewerRig) -> None:
    """Has a classifier judge, which has no gate."""
    rig.model = LABELLING
    rig.show("cart", Scene(scores=LABELS, given=("nodule",)))


def without_broker(rig: ViewerRig) -> None:
    """Cuts the broker off."""
    rig.tell_publisher("mqtt://broker:unreachable")


def replaced(rig: ViewerRig) -> None:
    """Has a replacement compute."""
    rig.reasons = ["runtime_fallback"]


@dataclass(frozen=True)
class PageState:
    """One state of the page."""

    name: str
    look: str
    """``data-look`` of the page's body."""
    says: str
    """Words that must stand on it."""
    make: Callable[[ViewerRig], None]
    old: bool = False
    """Whether the picture must be greyed."""


STATES = (
    PageState("finding", "finding", "SUSPICIOUS", show(Scene())),
    PageState(
        "finding-uncertain", "finding", "UNCERTAIN CALL", show(Scene(suspicious=False, malignancy=0.41, uncertain=True))
    ),
    PageState("finding-benign", "finding", "not suspicious", show(Scene(suspicious=False, malignancy=0.08))),
    PageState("finding-unconfirmed", "finding", "not confirmed yet", show(Scene(confirmed=False))),
    PageState("two-lesions", "finding", "2 LESIONS", show(Scene(lesions=2))),
    PageState("not-calibrated", "finding", "no size: not calibrated", show(Scene(calibrated=False))),
    PageState("clear", "clear", "NO LESION DETECTED", show(Scene(Status.CLEAR, malignancy=0.06))),
    PageState("abstained", "abstained", "the probe has no contact", show(Scene(Status.ABSTAINED, Reason.NO_CONTACT))),
    PageState(
        "no-result", "fault", "the model did not answer in time", show(Scene(Status.NO_RESULT, Reason.RUNTIME_HUNG))
    ),
    PageState("source-lost", "fault", "the source is lost", lose, old=True),
    PageState("stale", "stale", "OLD PICTURE", lambda rig: rig.show("cart", None), old=True),
    PageState("frame-process-down", "fault", "the judging process does not answer", hang, old=True),
    PageState("no-connection", "offline", "NO CONNECTION", cut_off, old=True),
    PageState(
        "scan-area-unknown", "abstained", "No picture is shown",
        show(Scene(Status.ABSTAINED, Reason.SCAN_AREA_UNKNOWN, scan_area=False)),
    ),
    PageState("classifier", "finding", "NO ANATOMY GATE", label),
    PageState("broker-lost", "finding", "the broker does not answer", without_broker),
    PageState("fallback", "finding", "a replacement computes", replaced),
)  # fmt: skip


def restore(rig: ViewerRig) -> None:
    """Puts the rig back to the state that all begin with."""
    if rig.child.child is not None:
        os.kill(rig.child.child.pid, signal.SIGCONT)
    rig.turns, rig.model, rig.reasons, rig.keeps = True, MODEL, [], True
    rig.tell_publisher()
    for name in rig.streams:
        rig.show(name, Scene())
