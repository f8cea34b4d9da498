"""Mark in the state directory that feedback may be in its outbox, for runs that have no page any more.

A consumer counts what `state` names: where feedback is kept and not named, it would seem to be missing.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

FILE_NAME = "feedback"


def may_have_feedback(state_dir: Path, *, here: bool) -> bool:
    """Whether feedback may be in the outbox; ``here``: this run has a page, which is written down."""
    path = state_dir / FILE_NAME
    if here:
        with contextlib.suppress(OSError):  # a full disk: this run names it all the same
            path.touch(mode=0o600)
    return here or path.exists()
