"""The scan area of a stream over time: searched at times, checked in between; geometry and depth."""

from __future__ import annotations

from dataclasses import replace

import cv2
import msgspec
import numpy as np
import pytest

from benchmarks.screens.scan_content import ScreenTissue, place_scan
from benchmarks.screens.screen import RenderedScreen
from benchmarks.screens.training_layouts import training_screens
from edge.config.settings import StreamSettings
from edge.contracts.errors import SourceError
from edge.contracts.frames import Frame, FrameOrigin
from edge.contracts.region import Region
from edge.pipeline.stream_metadata import add_stream_metadata
from edge.scan_area import tracker as tracker_module
from edge.scan_area.blackout import has_outline
from edge.scan_area.tracker import NO_HEIGHT, OTHER_DEPTH, ScanAreaTracker

FPS_NS = 40_000_000


def screen(
    shape: str = "linear", box: tuple[int, int, int, int] = (150, 60, 400, 380), floor: float = 8
) -> RenderedScreen:
    """A plain screen with one scan and a line of text."""
    furniture = np.zeros((480, 640, 3), np.uint8)
    cv2.putText(furniture, "ANDERSON MARY 11:24", (8, 20), cv2.FONT_HERSHEY_SIMPLEX, 0.6, (230, 230, 230), 1)
    rng = np.random.default_rng(3)
    return RenderedScreen("plain", furniture, [(place_scan(shape, box, rng), ScreenTissue(rng, floor))])  # type: ignore[arg-type]


def frame(pixels: np.ndarray, number: int, regions: tuple[Region, ...] = ()) -> Frame:
    """Frame of a live stream at 25 a second."""
    return Frame("s", number, number * FPS_NS, None, pixels, regions)


@pytest.fixture
def searches(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Grows with each full search."""
    counted: list[int] = []
    real = tracker_module.find_scans

    def counting(*arguments: object) -> object:
        counted.append(1)
        return real(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(tracker_module, "find_scans", counting)
    return counted


def test_a_steady_screen_is_searched_seldom(searches: list[int]) -> None:
    """Each second at first, then more seldom, while only the scan moves."""
    track, shown = ScanAreaTracker(), screen()
    pictures = [shown.frame(number) for number in range(5)]
    for number in range(250):
        done = track(frame(pictures[number % 5], number))
        assert has_outline(done.regions)
        assert done.geometry == 0
    assert len(searches) <= 7


def test_another_layout_is_noticed_at_once(searches: list[int]) -> None:
    """A dialogue beside the scan, and a scan at another place: searched again with that frame."""
    track = ScanAreaTracker()
    first, second = screen(), screen(box=(40, 60, 300, 200))
    pictures = [first.frame(number) for number in range(3)]
    for number in range(33):
        track(frame(pictures[number % 3], number))
    before = len(searches)
    done = track(frame(second.frame(33), 33))
    assert len(searches) == before + 1
    assert done.geometry == 1
    assert abs(done.regions[0].box[0] - 40) <= 3


def test_between_two_hurried_searches_nothing_is_shown(searches: list[int]) -> None:
    """A layout that changes with each frame costs no search with each frame; the outline of another is never shown."""
    track = ScanAreaTracker()
    shown = [screen(), screen(box=(40, 60, 300, 200))]
    done = [track(frame(shown[number % 2].frame(number), number)) for number in range(12)]
    assert len(searches) <= 2
    assert not has_outline(done[1].regions)
    for number, each in enumerate(done):
        for region in each.regions:
            assert abs(region.box[0] - (150, 40)[number % 2]) <= 3


def test_a_scan_that_becomes_smaller_is_noticed(searches: list[int]) -> None:
    """What was rim is empty then, although nothing outside has changed."""
    track = ScanAreaTracker()
    pictures = [screen().frame(number) for number in range(3)]
    for number in range(33):
        track(frame(pictures[number % 3], number))
    before = len(searches)
    done = track(frame(screen(box=(250, 60, 200, 380)).frame(33), 33))
    assert len(searches) == before + 1
    assert done.geometry == 1


def test_equal_files_give_equal_regions_whoever_reads_them() -> None:
    """By the file's own time: how fast it is read does not matter."""
    pictures = [screen("curved").frame(number) for number in range(3)]
    pictures += [screen(box=(40, 60, 300, 200)).frame(number) for number in range(3)]
    results = []
    for pace in (1, 7_000_000):
        track, origin = ScanAreaTracker(), FrameOrigin(path="clip.mp4")
        numbers = [(n, n % 3 + 3 * (n > 20)) for n in range(40)]
        frames = [Frame("s", n, n * pace, n * FPS_NS, pictures[which], (), origin) for n, which in numbers]
        results.append([track(each).regions for each in frames])
    assert results[0] == results[1]
    assert results[0][10] != results[0][35]


def test_each_clip_begins_anew() -> None:
    """A folder's pictures are each found for themselves, as `infer` finds them one by one."""
    pictures = [each.frame() for each in training_screens(5)]
    together = ScanAreaTracker()
    for number, picture in enumerate(pictures):
        origin = FrameOrigin(path=f"{number}.png", clip=number)
        alone = ScanAreaTracker()(Frame("s", 0, 5, 0, picture, (), FrameOrigin(path="x.png")))
        assert together(Frame("s", number, number, 0, picture, (), origin)).regions == alone.regions


def test_depth_over_the_height_of_the_scan() -> None:
    """Within a hundredth, for all shapes."""
    for shape in ("linear", "curved", "sector", "trapezoid"):
        shown = screen(shape)
        place = shown.scans[0][0]
        inside = place.inside[:, place.box[2] // 2]
        height = np.flatnonzero(inside)[-1] - np.flatnonzero(inside)[0] + 1
        done = ScanAreaTracker(depth_mm=50.0)(frame(shown.frame(), 0))
        assert done.regions[0].mm_y == pytest.approx(50.0 / height, rel=0.01), shape
        assert done.regions[0].mm_x == done.regions[0].mm_y


def test_no_depth_where_the_scan_fades_away() -> None:
    """Of a scan that is dark below, the height that is seen is not the scan's."""
    shown = screen(floor=0.0)
    pixels = shown.frame()
    fading = np.clip(1.6 - np.arange(480) / 200, 0, 1)[:, None, None]
    done = ScanAreaTracker(depth_mm=50.0)(frame((pixels * fading).astype(np.uint8), 0))
    assert done.regions[0].mm_x is None
    assert done.regions[0].uncalibrated == NO_HEIGHT


def test_another_depth_drops_the_millimetres_from_before() -> None:
    """And brings them back with the geometry that they hold for; by config or by depth alike."""
    first, second = screen(), screen(box=(220, 60, 260, 380))
    config = Region(box=(150, 60, 400, 380), mm_x=0.1, mm_y=0.1, source="config")
    for depth, regions in ((50.0, ()), (None, (config,))):
        track = ScanAreaTracker(depth)
        assert track(frame(first.frame(), 0, regions)).regions[0].calibrated
        other = track(frame(second.frame(), 50, regions))
        assert not other.regions[0].calibrated
        assert other.regions[0].uncalibrated == OTHER_DEPTH
        assert other.geometry == 1
        again = track(frame(first.frame(), 100, regions))
        assert again.regions[0].calibrated
        assert again.geometry == 2


@pytest.mark.parametrize("shape", ["linear", "trapezoid"])
@pytest.mark.parametrize("faded_first", [False, True])
def test_millimetres_from_before_are_dropped_where_the_scan_fades_into_black(shape: str, faded_first: bool) -> None:
    """Its sides have moved all the same; which of the two was faded makes no difference."""
    fade = np.clip(1.6 - np.linspace(0, 1.8, 480), 0, 1)[:, None, None]
    first, second = (screen(shape, box).frame() for box in ((150, 60, 400, 380), (220, 60, 260, 380)))
    first, second = (first * (fade if faded_first else 1), second * (1 if faded_first else fade))
    config = (Region(box=(100, 40, 500, 420), mm_x=0.1, mm_y=0.1, source="config"),)
    track = ScanAreaTracker()
    done = [track(frame(each.astype(np.uint8), 50 * n, config)) for n, each in enumerate((first, second, first))]
    assert [each.regions[0].calibrated for each in done] == [True, False, True]
    assert [each.geometry for each in done] == [0, 1, 2]


def test_configured_millimetres_do_not_hold_while_a_changed_screen_was_not_searched() -> None:
    """A live stream is searched again a quarter of a second after the last search at the soonest."""
    config = (Region(box=(150, 60, 400, 380), mm_x=0.1, mm_y=0.1, source="config"),)
    given = (msgspec.structs.replace(config[0], source="igtl"),)
    for regions, holds in ((config, False), (given, True)):
        track, first = ScanAreaTracker(), screen().frame()
        assert track(frame(first, 0, regions)).regions[0].calibrated
        changed = track(frame(255 - first, 2, regions)).regions[0]
        assert changed.outline is None
        assert changed.calibrated == holds


def test_the_spacing_of_each_image_counts() -> None:
    """A source that gives another spacing has another depth: other millimetres, and another geometry."""
    track, pixels = ScanAreaTracker(), screen().frame()
    regions = [(Region(box=(0, 0, 640, 480), mm_x=mm, mm_y=mm, source="igtl"),) for mm in (0.1, 0.1, 0.2)]
    done = [track(frame(pixels, number, given)) for number, given in enumerate(regions)]
    assert [each.regions[0].mm_x for each in done] == [0.1, 0.1, 0.2]
    assert [each.geometry for each in done] == [0, 0, 1]


def test_an_outline_from_the_configuration_is_taken_as_it_is() -> None:
    """Whatever is found in it; a source's region keeps its millimetres and gets the outline."""
    outline = [(100, 40), (700, 40), (500, 400)]
    enrich = add_stream_metadata([StreamSettings(name="s", source="camera://0", scan_outline=outline)])
    pixels = np.zeros((480, 640, 3), np.uint8)
    made = enrich(frame(pixels, 0)).regions[0]
    assert made.source == "config"
    assert sorted(made.outline or ()) == [(100, 40), (500, 400), (639, 40), (639, 150)]
    given = Region(box=(0, 0, 640, 480), mm_x=0.1, mm_y=0.1, source="dicom")
    assert enrich(frame(pixels, 0, (given,))).regions[0] == msgspec.structs.replace(
        given, outline=made.outline, shape=made.shape
    )


@pytest.mark.parametrize("depth_mm", [None, 50.0])
def test_each_file_of_a_folder_is_its_own_geometry(depth_mm: float | None) -> None:
    """Another file, another examination: it is measured as it is where it is read alone, whatever came before."""
    pictures = [screen().frame(), screen(box=(220, 60, 260, 380)).frame()]
    given = () if depth_mm else (Region(box=(150, 60, 400, 380), mm_x=0.1, mm_y=0.1, source="config"),)
    together, done = ScanAreaTracker(depth_mm), []
    for number, picture in enumerate((*pictures, pictures[0])):
        origin = FrameOrigin(path=f"{number}.png", clip=number)
        alone = ScanAreaTracker(depth_mm)(Frame("s", 0, 5, 0, picture, given, FrameOrigin(path="x.png")))
        done.append(together(Frame("s", number, number, 0, picture, given, origin)))
        assert done[-1].regions == alone.regions
        assert done[-1].regions[0].calibrated
    assert [each.geometry for each in done] == [0, 1, 2]


def test_within_one_file_another_depth_still_drops_the_millimetres() -> None:
    """A clip in which the depth is changed has one configured depth, which is that of its beginning."""
    pictures = [screen().frame(), screen(box=(220, 60, 260, 380)).frame()]
    track, origin = ScanAreaTracker(50.0), FrameOrigin(path="clip.mp4")
    done = [track(Frame("s", n, n, n * 2_000_000_000, each, (), origin)) for n, each in enumerate(pictures)]
    assert [each.regions[0].calibrated for each in done] == [True, False]


def test_a_live_stream_that_is_connected_anew_keeps_its_geometry() -> None:
    """The scanner may have been set to another depth meanwhile: its configured millimetres are of the first."""
    track, pictures = ScanAreaTracker(50.0), [screen().frame(), screen(box=(220, 60, 260, 380)).frame()]
    done = [track(Frame("s", n, n, None, each, (), FrameOrigin(clip=n))) for n, each in enumerate(pictures)]
    assert done[0].regions[0].calibrated
    assert done[1].regions[0].uncalibrated == OTHER_DEPTH


def outlined_stream() -> StreamSettings:
    """A stream whose outline the configuration gives."""
    return StreamSettings(name="s", source="camera://0", scan_outline=[(150, 60), (549, 60), (549, 439), (150, 439)])


def test_another_spacing_is_another_geometry_where_the_outline_is_configured() -> None:
    """Of OpenIGTLink, each image says: lesion tracks end there as elsewhere."""
    enrich, pixels = add_stream_metadata([outlined_stream()]), screen().frame()
    regions = [(Region(box=(0, 0, 640, 480), mm_x=mm, mm_y=mm, source="igtl"),) for mm in (0.1, 0.1, 0.2)]
    done = [enrich(frame(pixels, number, given)) for number, given in enumerate(regions)]
    assert [each.geometry for each in done] == [0, 0, 1]
    assert [each.regions[0].mm_x for each in done] == [0.1, 0.1, 0.2]
    assert len({each.regions[0].outline for each in done}) == 1


def test_another_depth_is_another_geometry_where_the_outline_is_configured() -> None:
    """It is seen in the picture; what the configuration says of millimetres is dropped, its outline stays."""
    config = (Region(box=(150, 60, 400, 380), mm_x=0.1, mm_y=0.1, source="config"),)
    enrich, pictures = add_stream_metadata([outlined_stream()]), [screen(), screen(box=(220, 60, 260, 380)), screen()]
    done = [enrich(frame(each.frame(), 50 * n, config)) for n, each in enumerate(pictures)]
    assert [each.geometry for each in done] == [0, 1, 2]
    assert [each.regions[0].calibrated for each in done] == [True, False, True]
    assert len({each.regions[0].outline for each in done}) == 1


def test_an_outline_beside_the_picture_is_told() -> None:
    """A scanner that sends smaller pictures costs frames that say so, and not a fault of ours."""
    settings = StreamSettings(name="s", source="camera://0", scan_outline=[(200, 160), (440, 160), (600, 400)])
    with pytest.raises(SourceError, match="scan_outline is not within the picture of 100 x 90 pixels"):
        add_stream_metadata([settings])(frame(np.zeros((90, 100, 3), np.uint8), 0))


def test_a_fault_in_the_search_costs_the_outline_alone(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The frame goes on as it was, the log says why, and a search that works again finds the scan in the next one."""
    given = (Region(box=(0, 0, 640, 480), mm_x=0.1, mm_y=0.1, source="dicom"),)
    first = frame(screen().frame(), 0)
    calls = []

    def fail(*_: object) -> None:
        calls.append(1)
        raise RuntimeError("a bug")

    track = ScanAreaTracker()
    with monkeypatch.context() as patched:
        for name in ("find_scans", "tighten"):
            patched.setattr(tracker_module, name, fail)
        told = track(first)
        assert told.pixels is first.pixels
        assert (told.regions, told.geometry, told.seq, told.stream) == ((), 0, first.seq, first.stream)
        assert ScanAreaTracker()(replace(first, regions=given)).regions == given
    assert len(calls) == 2
    assert "its scan area could not be looked for" in caplog.text
    assert "a bug" in caplog.text
    assert has_outline(track(frame(screen().frame(), 1)).regions)
