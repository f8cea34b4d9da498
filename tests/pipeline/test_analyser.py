"""One frame at a time: what may be said of a picture of which only a part was judged."""

from __future__ import annotations

import numpy as np
import pytest

from edge.config.uri import parse_uri
from edge.contracts.frames import Frame
from edge.contracts.region import Region
from edge.contracts.results import Reason, Status
from edge.models.scripted_manifest import scripted_manifest
from edge.phantom.scene import PhantomScene
from edge.phantom.spec import PhantomSpec
from edge.pipeline.analyser import Analyser
from edge.pipeline.guard import RuntimeGuard
from edge.runtimes.scripted import ScriptedRuntime


class Empty(ScriptedRuntime):
    """Sees no lesion and nothing malignant."""

    def wait(self, timeout_s):
        outputs = dict(super().wait(timeout_s))
        outputs["lesion_mask"] = np.zeros_like(outputs["lesion_mask"])
        return outputs


@pytest.fixture
def analyser():
    manifest = scripted_manifest()
    made = Analyser(
        manifest,
        RuntimeGuard([lambda: Empty(parse_uri("scripted://?malignancy=0.1"), None, manifest)], lambda _: None, 1.0),
    )
    yield made
    made.close()


def views(*boxes, size=(480, 640)):
    picture = np.zeros(size, np.uint8)
    for x, y, w, h in boxes:
        scan = PhantomScene(PhantomSpec(seed=x, width=max(w, 96), height=max(h, 96), lesions=0)).pixels(0)
        picture[y : y + h, x : x + w] = scan[:h, :w]
    return picture


ONE, OTHER, SMALL = (16, 16, 280, 440), (340, 16, 240, 400), (340, 16, 80, 80)


@pytest.mark.parametrize(
    ("boxes", "regions", "expected"),
    [
        ([ONE], False, (Status.CLEAR, None)),
        ([ONE, SMALL], False, (Status.CLEAR, None)),
        ([ONE, OTHER], False, (Status.ABSTAINED, Reason.PARTLY_SEEN)),
        ([ONE], True, (Status.CLEAR, None)),
        ([ONE, OTHER], True, (Status.ABSTAINED, Reason.PARTLY_SEEN)),
    ],
)
def test_a_picture_is_clear_only_if_all_of_it_was_judged(analyser, boxes, regions, expected):
    told = tuple(Region(box=box) for box in boxes) if regions else ()
    result = analyser.analyse(Frame("s", 0, 0, None, views(*boxes), told))
    assert (result.status, result.reason) == expected


@pytest.mark.parametrize("malignancy", ["0.2", "0.9"])
def test_a_finding_carries_the_chance_that_its_call_is_wrong(malignancy):
    manifest = scripted_manifest()
    runtime = ScriptedRuntime(parse_uri(f"scripted://?malignancy={malignancy}"), None, manifest)
    made = Analyser(manifest, RuntimeGuard([lambda: runtime], lambda _: None, 1.0))
    result = made.analyse(Frame("s", 0, 0, None, views(ONE), ()))
    made.close()
    assert result.status is Status.FINDING
    assert result.uncertainty == pytest.approx(1 - result.malignancy if result.suspicious else result.malignancy)
    assert result.uncertainty == pytest.approx(0.1 if malignancy == "0.9" else 0.2, abs=0.01)
