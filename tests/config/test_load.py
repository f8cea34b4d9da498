"""Loading settings: which of defaults, file, environment and flags wins, and the message when something is wrong."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from edge.config.load import (
    default_device_name,
    default_state_dir,
    load_settings,
    streams_from_sources,
    try_loading,
)
from edge.config.settings import RuntimeSettings, Settings, SinkSettings, StreamSettings
from edge.contracts.errors import ConfigError, UsageError
from edge.contracts.names import is_name

Write = Callable[[str], Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def write_file(text: str) -> Path:
        path = tmp_path / "edge.toml"
        path.write_text(text, encoding="utf-8")
        return path

    return write_file


def error_of(
    path: Path | None, environ: dict[str, str] | None = None, flags: dict[str, Any] | None = None
) -> ConfigError:
    with pytest.raises(ConfigError) as caught:
        load_settings(path, environ or {}, flags or {})
    return caught.value


def test_nothing_given_means_defaults() -> None:
    assert load_settings(None, {}, {}) == Settings()


def test_an_empty_file_means_defaults(write: Write) -> None:
    assert load_settings(write(""), {}, {}) == Settings()


def test_later_layers_win_value_by_value(write: Write) -> None:
    path = write('site = "file"\ndevice = "file"\n[runtime]\nuri = "scripted://"\ntimeout_s = 3\nisolated = false\n')
    environ = {"EDGE_DEVICE": "env", "EDGE_RUNTIME__TIMEOUT_S": "4.5"}
    settings = load_settings(path, environ, {"runtime": {"uri": "litert://"}, "site": None})
    assert settings == Settings(
        site="file", device="env", runtime=RuntimeSettings(uri="litert://", timeout_s=4.5, isolated=False)
    )


def test_the_process_environment_is_read_unless_another_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDGE_SITE", "from-env")
    assert load_settings().site == "from-env"
    assert load_settings(None, {}).site == "site"


STREAMS = '[[streams]]\nname = "a"\nsource = "phantom://"\n[[streams]]\nname = "b"\nsource = "phantom://"\n'


def test_list_items_by_number_change_and_append(write: Write) -> None:
    environ = {
        "EDGE_STREAMS__1__SOURCE": "images:///x",
        "EDGE_STREAMS__2__NAME": "c",
        "EDGE_STREAMS__2__SOURCE": "phantom://?seed=3",
        "EDGE_STREAMS__2__CALIBRATION__MM_X": "0.1",
        "EDGE_STREAMS__2__CALIBRATION__MM_Y": "0.2",
        "EDGE_STREAMS__2__CALIBRATION__BOX": "[0, 0, 10, 20]",
    }
    streams = load_settings(write(STREAMS), environ, {}).streams
    assert [(s.name, s.source) for s in streams] == [
        ("a", "phantom://"),
        ("b", "images:///x"),
        ("c", "phantom://?seed=3"),
    ]
    assert streams[2].calibration is not None
    assert streams[2].calibration.box == (0, 0, 10, 20)


def test_json_in_the_environment_takes_the_place_of_a_list_and_items_go_over_it(write: Write) -> None:
    environ = {"EDGE_STREAMS": '[{"name": "z", "source": "phantom://"}]', "EDGE_STREAMS__0__BODY_PART": "BREAST"}
    streams = load_settings(write(STREAMS), environ, {}).streams
    assert streams == [StreamSettings(name="z", source="phantom://", body_part="BREAST")]


def test_flags_take_structs_and_paths_and_replace_lists(write: Write) -> None:
    flags = {"streams": streams_from_sources(["phantom://"]), "sinks": [{"uri": "jsonl:///f"}], "state_dir": Path("/s")}
    settings = load_settings(write(STREAMS), {}, flags)
    assert [s.name for s in settings.streams] == ["phantom-1"]
    assert settings.sinks == [SinkSettings(uri="jsonl:///f")]
    assert settings.state_dir == "/s"


@pytest.mark.parametrize("text", ["true", "1", "yes", "ON", "True"])
def test_words_for_true(text: str) -> None:
    assert load_settings(None, {"EDGE_PUBLISH__IMAGE_REF": text}, {}).publish.image_ref is True


def test_null_is_none_and_empty_is_not_set() -> None:
    environ = {"EDGE_DEVICE": "null", "EDGE_SITE": "", "EDGE_DEBUG": "1", "OTHER": "x"}
    assert load_settings(None, environ, {"device": "d"}) == Settings(device="d")
    assert load_settings(None, environ, {}) == Settings()


def test_a_text_that_looks_like_a_number_stays_a_text() -> None:
    assert load_settings(None, {"EDGE_SITE": "12", "EDGE_MODEL": "1.5"}, {}).model == "1.5"


WRONG = [
    # text of the file, line, what the message holds, what the hint holds
    ('site = "a"\nstie = "b"\n', 2, "stie: there is no such key", "'site'"),
    ("[runtime]\n# c\nurl = 'x'\n", 3, "runtime.url: there is no such key in [runtime]", "'uri'"),
    ("[runtime]\nzzz = 1\n", 2, "runtime.zzz", "the keys in [runtime] are: uri, isolated, timeout_s"),
    ("[rumtime]\nuri = 'x'\n", 1, "rumtime: there is no such key at the top level", "'runtime'"),
    ("runtime.ury = 'x'\n", 1, "runtime.ury", "'uri'"),
    ("runtime = { ury = 'x' }\n", 1, "runtime.ury", "'uri'"),
    (
        '[runtime]\n\ntimeout_s = "fast"\n',
        3,
        'expected a number greater than 0, got the text "fast"',
        "timeout_s = 0.8",
    ),
    ('[runtime]\ntimeout_s = "2.5"\n', 2, 'got the text "2.5"', "without quotes: timeout_s = 2.5"),
    ("[runtime]\ntimeout_s = 0\n", 2, "expected a number greater than 0, got the number 0", "timeout_s = 0.8"),
    ("[runtime]\ntimeout_s = inf\n", 2, "expected a number greater than 0, got the number inf", "timeout_s = 0.8"),
    ("[runtime]\ntimeout_s = nan\n", 2, "got the number nan", "timeout_s = 0.8"),
    ('[runtime]\nisolated = "True"\n', 2, "expected true or false", "without quotes: isolated = true"),
    ("[tracking]\nmatch_iou = 2\n", 2, "expected a number from 0 to 1, got the number 2", "match_iou = 0.2"),
    ("[tracking]\ngone_after_frames = 1.5\n", 2, "expected a whole number of at least 1", "gone_after_s"),
    ('[[sinks]]\nuri = "mqtt://h"\ninflight = 5000\n', 3, "expected a whole number from 1 to 1000", "inflight = 20"),
    ('[log]\nlevel = "warnings"\n', 2, 'expected one of "', 'did you mean level = "warning"?'),
    ('site = "Clinic A"\n', 1, "expected a name of 1 to 32 lower case", 'for example site = "clinic-a"'),
    ('site = "a\\n"\n', 1, "expected a name of", 'for example site = "a"'),
    ('site = ""\n', 1, "expected a name of", 'site = "site"'),
    ("site = 1979-05-27\n", 1, "expected a name", "site"),
    ('streams = "phantom://"\n', 1, "expected a list of tables", "[[streams]]"),
    ("[streams]\nname = 'a'\n", 1, "streams: expected a list of tables, got a table", "with two brackets"),
    ("runtime = 5\n", 1, "runtime: expected a table, got the number 5", "[runtime]"),
    ("streams = [1]\n", 1, "streams[0]: expected a table, got the number 1", ""),
    ('x = 1\n[[streams]]\nname = "a"\n', 1, "x: there is no such key", "problem"),
    ('[[streams]]\nname = "a"\n', 1, "streams[0]: the key 'source' is missing", "URI of the source"),
    (
        '[[streams]]\nname = "a"\nsource = "phantom://"\n[streams.calibration]\nbox = [1, 2, 3]\nmm_x = 1\nmm_y = 1\n',
        5,
        "streams[0].calibration.box: expected a list of 4: a whole number",
        "box: Part of the picture",
    ),
    # of the right types, and yet
    (STREAMS.replace('"b"', '"a"'), 5, "streams[1].name: 'a' is the name of streams[0] already", "name of its own"),
    ('[[streams]]\nname = "a"\nsource = "scan.png"\n', 3, "streams[0].source: expected a URI", "scheme://"),
    ('[runtime]\nuri = "litert"\n', 2, "runtime.uri: expected a URI", "scheme://"),
    ('[[sinks]]\nuri = "mqtt://h:x"\n', 2, "sinks[0].uri: expected a URI", "port"),
    ('[[sinks]]\nuri = "mqtts://h"\n\nkey_file = "/k"\n', 4, "key_file is set, but cert_file is not", "set both"),
    ('[[sinks]]\nuri = "mqtt://h"\nroot = "a/#"\n', 3, "first part of a topic, got 'a/#'", "edge/v1"),
]


@pytest.mark.parametrize(("text", "line", "message", "hint"), WRONG, ids=[str(i) for i in range(len(WRONG))])
def test_what_is_wrong_is_told_with_its_line(write: Write, text: str, line: int, message: str, hint: str) -> None:
    path = write(text)
    error = error_of(path)
    assert error.message.startswith(f"{path}:{line}: ")
    assert message in error.message
    assert hint in error.hint
    assert error.exit_code == 3


@pytest.mark.parametrize(
    ("text", "line"),
    [("site = \n", 1), ("a = 1\nb = [\n", 3), ('a = "x\n', 1), ("a = 1\na = 2\n", 2), ("[t\n", 1), ("ключ = 1\n", 1)],
)
def test_broken_toml_is_told_with_its_line(write: Write, text: str, line: int) -> None:
    path = write(text)
    assert error_of(path).message.startswith(f"{path}:{line}: this is no TOML: ")


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    missing = error_of(tmp_path / "no.toml")
    assert "there is no such file" in missing.message
    assert "config init" in missing.hint
    assert str(tmp_path) in error_of(tmp_path).message
    binary = tmp_path / "edge.toml"
    binary.write_bytes(b'site = "a"\nmodel = "\xff"\n')
    assert error_of(binary).message == f"{binary}:2: expected UTF-8, got byte 0xff"
    binary.write_bytes(b"a = " + b"[" * 100_000)
    assert str(binary) in error_of(binary).message


def test_a_byte_order_mark_is_no_key(tmp_path: Path) -> None:
    path = tmp_path / "edge.toml"
    path.write_bytes(b'\xef\xbb\xbfsite = "a"\r\n')
    assert load_settings(path, {}, {}).site == "a"


def test_all_problems_are_found_and_the_first_says_how_many_more(write: Write) -> None:
    path = write("stie = 1\n[runtime]\nuri = 2\ntimeout_s = 'x'\n")
    loaded = try_loading(path, {"EDGE_LOG__LEVEL": "loud"}, {"site": "No Name"})
    assert loaded.settings is None
    assert [p.message.split(": ")[0] for p in loaded.problems] == [
        f"{path}:1",
        "--site",
        f"{path}:3",
        f"{path}:4",
        "EDGE_LOG__LEVEL",
    ]
    assert "2 more problems: edge-cli config check" in error_of(path).hint


@pytest.mark.parametrize(
    ("variable", "text", "message"),
    [
        ("EDGE_RUNTIM__URI", "x://", "runtim: there is no such key"),
        ("EDGE_STIE", "x", "stie: there is no such key"),
        ("EDGE_RUNTIME__TIMEOUT_S", "fast", 'runtime.timeout_s: expected a number greater than 0, got the text "fast"'),
        ("EDGE_RUNTIME__ISOLATED", "maybe", "runtime.isolated: expected true or false"),
        ("EDGE_RUNTIME", "litert://", "runtime: expected a table"),
        ("EDGE_STREAMS__5__SOURCE", "phantom://", "streams has 2 items so far, the next is number 2"),
        ("EDGE_STREAMS__FIRST__SOURCE", "phantom://", "streams has numbered items: write a number, not 'first'"),
        ("EDGE_RUNTIME__0__URI", "x://", "runtime is no list"),
        ("EDGE_SITE__A", "x", "site"),
        ("EDGE_SITE", "null", "site: expected a name of 1 to 32 lower case letters, digits and hyphens, got nothing"),
        ("EDGE_STREAMS__0__CALIBRATION", "{", "streams[0].calibration: expected a table"),
        ("EDGE_MODEL", "\udcff", "expected UTF-8"),
        ("EDGE_", "x", "there is no such key"),
    ],
)
def test_a_wrong_variable_is_named(write: Write, variable: str, text: str, message: str) -> None:
    error = error_of(write(STREAMS + "[runtime]\nisolated = true\n"), {variable: text})
    assert error.message.startswith(f"{variable}: ")
    assert message in error.message


def test_a_wrong_flag_is_named() -> None:
    assert error_of(None, {}, {"state_dir": 5}).message.startswith("--state-dir: state_dir: expected a text")
    assert error_of(None, {}, {"drain_timeout_s": -1}).message.startswith("--drain-timeout: ")
    assert error_of(None, {}, {"runtime.uri": "x"}).message.startswith("--runtime: ")
    assert error_of(None, {}, {"streams": [{"name": "a"}]}).message.startswith("--source: ")


def test_a_password_is_in_no_message(write: Write) -> None:
    for text in (
        '[[sinks]]\nuri = "mqtt://me:hunter2@h:x"\n',
        '[runtime]\ntimeout_s = "mqtt://me:hunter2@h"\n',
        'site = "mqtt://me:hunter2@h"\n[[sinks]]\nuri = 1\n',
    ):
        for problem in try_loading(write(text), {}, {}).problems:
            assert "hunter2" not in problem.message + problem.hint


def test_streams_are_named_after_their_scheme() -> None:
    streams = streams_from_sources(["phantom://?seed=1", "dicom:///x", "PHANTOM://?seed=2"])
    assert [s.name for s in streams] == ["phantom-1", "dicom-1", "phantom-2"]
    assert streams[2].source == "PHANTOM://?seed=2"
    with pytest.raises(UsageError, match="not a URI"):
        streams_from_sources(["scan.png"])


@pytest.mark.parametrize(
    ("host", "name"),
    [("Cart-7.clinic.example", "cart-7"), ("", "device"), ("日本", "device"), ("x" * 60, "x" * 32), ("a_b", "a-b")],
)
def test_the_device_is_named_after_the_host(monkeypatch: pytest.MonkeyPatch, host: str, name: str) -> None:
    monkeypatch.setattr("socket.gethostname", lambda: host)
    assert default_device_name() == name
    assert is_name(default_device_name())


def test_where_state_lives(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 0)
    assert default_state_dir() == Path("/var/lib/sonoedge")
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    assert default_state_dir() == tmp_path / "sonoedge"
    monkeypatch.setenv("XDG_STATE_HOME", "relative")
    monkeypatch.setenv("HOME", "/home/me")
    assert default_state_dir() == Path("/home/me/.local/state/sonoedge")
