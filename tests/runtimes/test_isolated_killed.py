"""A runtime process that ends while it loads: killed from outside it is tried again, a crash is the user's to mend."""

from __future__ import annotations

import os
import signal
from typing import Any

import pytest

from edge.contracts.errors import DeviceError, ProcessKilledError
from edge.daemon.supervisor.child_supervisor import FATAL_EXIT_CODES
from edge.models.bundle import load_bundle
from edge.process.child import Child
from edge.runtimes import isolated


@pytest.mark.parametrize(
    ("number", "kind"),
    [(signal.SIGKILL, ProcessKilledError), (signal.SIGTERM, ProcessKilledError), (signal.SIGSEGV, DeviceError)],
)
def test_only_a_kill_from_outside_is_no_reason_to_end(number, kind, monkeypatch) -> None:
    class Doomed(Child):
        def __init__(self, *arguments: Any, **options: Any) -> None:
            super().__init__(*arguments, **options)
            os.kill(self.pid, number)

    monkeypatch.setattr(isolated, "Child", Doomed)
    bundle = load_bundle()
    with pytest.raises(DeviceError, match="while loading") as caught:
        isolated.IsolatedRuntime("scripted://", bundle.file, bundle.manifest)
    assert type(caught.value) is kind
    assert (caught.value.exit_code in FATAL_EXIT_CODES) == (kind is DeviceError)
