"""What the supervisor tells its children when it starts them."""

from __future__ import annotations

import msgspec

from edge.config.settings import AffinitySettings, Settings


class DaemonJob(msgspec.Struct, frozen=True, kw_only=True):
    """The same for the frame process and the publisher."""

    settings: Settings
    """Complete: device and state_dir are set."""
    run_id: str
    tell_acks: bool = False
    """Tell the frame process which messages have arrived, and when: for who measures."""
    affinity: AffinitySettings = AffinitySettings()
    """The settings' own, as far as this machine has the cores: see `edge.process.cores.fit`."""

    @property
    def device(self) -> str:
        """The device's name."""
        assert self.settings.device is not None  # noqa: S101  (the supervisor has set it)
        return self.settings.device

    @property
    def state_dir(self) -> str:
        """Where the outbox is."""
        assert self.settings.state_dir is not None  # noqa: S101  (the supervisor has set it)
        return self.settings.state_dir
