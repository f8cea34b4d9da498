"""Job description that the supervisor hands to the frame process and the publisher when it starts them."""

from __future__ import annotations

import msgspec

from edge.config.settings import AffinitySettings, Settings
from edge.process.reaper import LeftBehind

NOT_ALL_JUDGED = 65
"""Exit code of the frame process whose sources have ended, but a part of what they hold got no result."""


class DaemonJob(msgspec.Struct, frozen=True, kw_only=True):
    """Settings and identity of one run of the daemon; the same for the frame process and the publisher."""

    settings: Settings
    """Complete: device and state_dir are set."""
    run_id: str
    tell_acks: bool = False
    """Tell the frame process which messages were acknowledged, and when: for benchmarks."""
    affinity: AffinitySettings = AffinitySettings()
    """The settings' own, as far as this machine has the cores: see `edge.process.cores.fit_affinity`."""
    left_behind: tuple[LeftBehind, ...] = ()
    """Processes of this run that the supervisor could not kill."""

    view: bool = False
    """Whether there is a viewer: the children are handed their ends of its channel, see `edge.tap.channel`."""

    @property
    def device(self) -> str:
        """Name of the device, as in its topics."""
        assert self.settings.device is not None  # noqa: S101  (the supervisor has set it)
        return self.settings.device

    @property
    def state_dir(self) -> str:
        """Directory that the outbox is in."""
        assert self.settings.state_dir is not None  # noqa: S101  (the supervisor has set it)
        return self.settings.state_dir
