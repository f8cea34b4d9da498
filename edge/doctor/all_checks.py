"""Runs all checks of ``edge-cli doctor``, in the order in which one would mend what they find."""

from __future__ import annotations

import os
from importlib import import_module
from typing import TYPE_CHECKING

from edge.config.consistency import find_warnings
from edge.config.load import as_config_error, try_loading
from edge.config.settings import Settings
from edge.doctor.check import absent, ok, warning, wrong, wrong_from_error
from edge.process.install import reinstall_command

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from edge.config.load import LoadedSettings
    from edge.doctor.check import Check

CONFIGURATION = "configuration"
SUBJECTS = (
    ("machine", "check_machine", True),
    ("extras", "check_extras", False),  # lines of the same group
    ("storage", "check_storage", True),
    ("runtimes", "check_runtimes", True),
    ("devices", "check_devices", False),
    ("video", "check_video", False),
    ("network_streams", "check_network_streams", False),
    ("sources", "check_sources", True),
    ("sinks", "check_sinks", True),
)
"""(module, function, whether it takes the settings). Each is imported when its turn comes: a library that is missing is
a line of the report too."""


def run_all_checks(config: Path | None) -> Iterator[Check]:
    """Run all checks and give each as it is made: some take seconds.

    A configuration that is wrong stops none of them: they go on with the defaults.
    """
    loaded = try_loading(config, os.environ, {})
    yield from _check_configuration(loaded, config)
    settings = loaded.settings or Settings()
    for subject, function, arguments in SUBJECTS:
        try:
            module = import_module(f"edge.doctor.{subject}")
        except ImportError as error:  # also of a library that is there, but lacks one of its own
            yield wrong(subject, "libraries", str(error), reinstall_command())
            continue
        yield from getattr(module, function)(*((settings,) if arguments else ()))


def _check_configuration(loaded: LoadedSettings, config: Path | None) -> Iterator[Check]:
    for problem in loaded.problems:
        yield wrong_from_error(CONFIGURATION, "settings", problem)
    if loaded.settings is None:
        return
    for fault in find_warnings(loaded.settings):
        error = as_config_error(loaded.layers, fault)
        yield warning(CONFIGURATION, "settings", error.message, error.hint)
    if config is None:
        yield absent(CONFIGURATION, "file", "none given: the defaults are examined", "--config FILE")
    else:
        streams, sinks = len(loaded.settings.streams), len(loaded.settings.sinks)
        yield ok(CONFIGURATION, "file", f"{config} (streams: {streams}, sinks: {sinks})")
