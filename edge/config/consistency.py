"""Consistency checks of settings: valid types that contradict each other, or do not work on this machine."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from edge.config.uri import parse_uri, what_it_is
from edge.config.uri_suggestions import NETWORK_SCHEMES
from edge.config.validate import SettingsProblem
from edge.contracts.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from edge.config.settings import Settings, SinkSettings, StreamSettings
    from edge.config.toml_lines import KeyPath
    from edge.config.view_settings import ViewSettings
    from edge.contracts.region import Box

FILE_FIELDS = ("password_file", "ca_file", "cert_file", "key_file")


def find_contradictions(settings: Settings) -> Iterator[SettingsProblem]:
    """Find contradictions between settings: errors on any machine."""
    first_use: dict[str, int] = {}
    for i, stream in enumerate(settings.streams):
        first = first_use.setdefault(stream.name, i)
        if first != i:
            message = f"streams[{i}].name: {stream.name!r} is the name of streams[{first}] already"
            yield SettingsProblem(
                ("streams", i, "name"), message, "every stream needs a name of its own: it stands in topics"
            )
        yield from _uri_problems(("streams", i, "source"), f"streams[{i}].source", stream.source)
        if stream.calibration is not None:
            yield from _box_problems(("streams", i, "calibration", "box"), stream.calibration.box)
        if stream.crop is not None:
            yield from _box_problems(("streams", i, "crop"), stream.crop)
        if stream.scan_outline is not None and not _encloses_area(stream.scan_outline):
            message = f"streams[{i}].scan_outline: expected corners around a part of the picture, got a line or a point"
            hint = "give three corners or more, [[x, y], ...], in their order around the scan"
            yield SettingsProblem(("streams", i, "scan_outline"), message, hint)
    yield from _uri_problems(("runtime", "uri"), "runtime.uri", settings.runtime.uri)
    if settings.runtime.timeout_s >= settings.watchdog_s:
        message = (
            f"runtime.timeout_s: {settings.runtime.timeout_s} s is not less than watchdog_s, {settings.watchdog_s} s"
        )
        yield SettingsProblem(
            ("runtime", "timeout_s"), message, "waiting for a frame must not look like standing still"
        )
    for i, uri in enumerate(settings.runtime.fallback):
        yield from _uri_problems(("runtime", "fallback"), f"runtime.fallback[{i}]", uri)
    for i, sink in enumerate(settings.sinks):
        here = f"sinks[{i}]"
        yield from _uri_problems(("sinks", i, "uri"), f"{here}.uri", sink.uri)
        if (sink.cert_file is None) != (sink.key_file is None):
            has, lacks = ("cert_file", "key_file") if sink.key_file is None else ("key_file", "cert_file")
            message = f"{here}: {has} is set, but {lacks} is not"
            yield SettingsProblem(
                ("sinks", i, has), message, "a certificate is of use only together with its key: set both"
            )
        if not sink.root.strip("/") or any(c in sink.root for c in "+#\0"):
            message = f"{here}.root: expected the first part of a topic, got {sink.root!r}"
            yield SettingsProblem(("sinks", i, "root"), message, 'no "+" and no "#"; for example root = "edge/v1"')
    yield from _view_problems(settings.view)


def _view_problems(view: ViewSettings) -> Iterator[SettingsProblem]:
    lacking = [name for name in ("token_file", "cert_file", "key_file") if getattr(view, name) is None]
    if not view.local and lacking:
        message = f"view.host: {view.host} is more than this machine, and {' and '.join(lacking)} not set"
        yield SettingsProblem(("view", "host"), message, "edge-cli view init makes token and certificate")
    elif (view.cert_file is None) != (view.key_file is None):
        has, lacks = ("cert_file", "key_file") if view.key_file is None else ("key_file", "cert_file")
        message = f"view: {has} is set, but {lacks} is not"
        yield SettingsProblem(("view", has), message, "a certificate is of use only together with its key: set both")


def find_warnings(settings: Settings) -> Iterator[SettingsProblem]:
    """Find settings that will not work on this machine as it is now, have no effect, or hide a fault."""
    for i, stream in enumerate(settings.streams):
        yield from _stream_warnings(i, stream)
    for i, sink in enumerate(settings.sinks):
        yield from _sink_warnings(i, sink)
    yield from tracking_warnings(settings)
    if settings.model is not None and not Path(settings.model).is_file():
        yield _no_file(("model",), "model", settings.model)
    for i, key in enumerate(settings.model_keys):
        if not Path(key).is_file():
            yield _no_file(("model_keys",), f"model_keys[{i}]", key)
    for name in ("token_file", "cert_file", "key_file"):
        file = getattr(settings.view, name)
        if settings.view.enabled and file is not None and not Path(file).is_file():
            yield _no_file(("view", name), f"view.{name}", file)


def tracking_warnings(settings: Settings) -> Iterator[SettingsProblem]:
    """Find settings of tracking under a name that has been replaced: they are still read."""
    frames = settings.tracking.gone_after_frames
    if frames is not None:
        message = f"tracking.gone_after_frames: seconds count now; {frames} frames are taken as 30 a second"
        hint = f"write gone_after_s = {settings.tracking.gone_s:.3g} instead, or what you mean in seconds"
        yield SettingsProblem(("tracking", "gone_after_frames"), message, hint)


def _stream_warnings(i: int, stream: StreamSettings) -> Iterator[SettingsProblem]:
    uri = parse_uri(stream.source, "sources")
    here = f"streams[{i}]"
    for name in ("username", "password_file"):
        if getattr(stream, name) is not None and uri.scheme not in NETWORK_SCHEMES:
            message = f"{here}.{name} has no effect on {uri.scheme}://, which is no network stream"
            yield SettingsProblem(("streams", i, name), message, f"leave {name} out")
    if stream.depth_mm is not None and stream.scan_outline is not None:
        message = f"{here}.depth_mm has no effect beside scan_outline: the scan is not looked for then, nor its height"
        yield SettingsProblem(("streams", i, "depth_mm"), message, "leave scan_outline out, or set calibration instead")
    if stream.password_file is not None and not Path(stream.password_file).is_file():
        yield _no_file(("streams", i, "password_file"), f"{here}.password_file", stream.password_file)
    if stream.password_file is not None and stream.username is None and uri.username is None:
        message = f"{here}.password_file has no effect without a username"
        yield SettingsProblem(("streams", i, "password_file"), message, f"set username in {here}")
    if uri.password:
        message = f"{here}.source: a password stands in the URI, where whoever reads this file sees it"
        hint = "set username and password_file of the stream instead"
        yield SettingsProblem(("streams", i, "source"), message, hint)


def _sink_warnings(i: int, sink: SinkSettings) -> Iterator[SettingsProblem]:
    scheme = parse_uri(sink.uri).scheme
    for name in FILE_FIELDS:
        value = getattr(sink, name)
        if value is None:
            continue
        if not Path(value).is_file():
            yield _no_file(("sinks", i, name), f"sinks[{i}].{name}", value)
        if scheme == "mqtt" and name != "password_file":
            message = f"sinks[{i}].{name} has no effect on mqtt://, which is not encrypted"
            yield SettingsProblem(("sinks", i, name), message, "write mqtts:// for an encrypted connection")
    if scheme in ("mqtt", "mqtts") and sink.protocol == "3.1.1":
        message = f"sinks[{i}].protocol: in MQTT 3.1.1 a broker cannot say what its access list refuses, and drops it"
        hint = 'protocol = "auto" takes MQTT 5 where the broker speaks it'
        yield SettingsProblem(("sinks", i, "protocol"), message, hint)
    if sink.password_file is not None and sink.username is None and parse_uri(sink.uri).username is None:
        message = f"sinks[{i}].password_file has no effect without a username"
        yield SettingsProblem(("sinks", i, "password_file"), message, f"set username in sinks[{i}]")


def _encloses_area(outline: list[tuple[int, int]]) -> bool:
    """Whether a closed polygon has an area, by the sum of its corners' cross products."""
    return sum(a * d - b * c for (a, b), (c, d) in zip(outline, [*outline[1:], outline[0]], strict=True)) != 0


def _box_problems(path: KeyPath, box: Box) -> Iterator[SettingsProblem]:
    if min(box[:2]) < 0 or min(box[2:]) <= 0:
        place = ".".join(str(key) for key in path[2:])
        message = f"streams[{path[1]}].{place}: expected a part of the picture, got {list(box)}"
        hint = "[x, y, width, height] in pixels: x and y from 0, width and height above 0"
        yield SettingsProblem(path, message, hint)


def _uri_problems(path: KeyPath, place: str, text: str) -> Iterator[SettingsProblem]:
    kind = {"streams": "sources", "sinks": "sinks"}.get(str(path[0]), "runtimes")
    try:
        parse_uri(text, kind)
    except UsageError as error:  # its message repeats the URI, which may hold a password
        yield SettingsProblem(path, f"{place}: expected a URI, got {what_it_is(text, kind)}", error.hint)


def _no_file(path: KeyPath, place: str, value: str) -> SettingsProblem:
    return SettingsProblem(path, f"{place}: there is no file {value}", "put it there, or correct the path")
