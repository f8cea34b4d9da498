"""Messages of one test device, made from the contract's own types and fed to a delivery ledger."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from edge.contracts.state import OutboxState, State, Will
from edge.schema import examples

if TYPE_CHECKING:
    from edge.contracts.coverage import Coverage
    from edge.contracts.finding import Finding
    from edge.contracts.health import Health
    from edge.fleet.ledger import Arrival, DeviceLedger, Ledger


class DeviceMessages:
    """Feeds a ledger with the messages of one device."""

    def __init__(self, ledger: Ledger, site: str = "clinic-a", device: str = "cart-7") -> None:
        self.ledger = ledger
        self.site, self.device = site, device
        self.epoch = "epoch-a"
        self.run_id = "run-1"

    def feed(self, suffix: str, message: msgspec.Struct, retained: bool = False) -> Arrival:
        return self.ledger.feed(
            f"edge/v1/{self.site}/{self.device}/{suffix}", msgspec.json.encode(message), retained=retained
        )

    def finding(self, seq: int, *, replayed: bool = False, stream: str = "cart", **changes: Any) -> Arrival:
        head = {"device": self.device, "epoch": self.epoch, "seq": seq, "replayed": replayed, "stream": stream}
        message: Finding = msgspec.structs.replace(examples.finding(), **{**head, **changes})
        return self.feed(f"findings/{stream}", message)

    def coverage(self, seq: int, *, replayed: bool = False, stream: str = "cart") -> Arrival:
        message: Coverage = msgspec.structs.replace(
            examples.coverage(), device=self.device, epoch=self.epoch, seq=seq, replayed=replayed, stream=stream
        )
        return self.feed(f"coverage/{stream}", message)

    def state(self, next_seq: int, *, retained: bool = False, **changes: Any) -> Arrival:
        outbox = {"oldest_kept": changes.pop("oldest_kept", 1), "expired": changes.pop("expired", [])}
        message: State = msgspec.structs.replace(
            examples.state(),
            device=self.device,
            run_id=self.run_id,
            outbox=OutboxState(epoch=self.epoch, next_seq=next_seq, **outbox),
            **changes,
        )
        return self.feed("state", message, retained)

    def health(self, next_seq: int, **changes: Any) -> Arrival:
        message: Health = msgspec.structs.replace(
            examples.health(),
            **{
                "device": self.device,
                "outbox_epoch": self.epoch,
                "outbox_next_seq": next_seq,
                "outbox_oldest_kept": 1,
                **changes,
            },
        )
        return self.feed("health", message)

    def will(self, run_id: str = "run-1", retained: bool = False) -> Arrival:
        return self.feed("state", Will(device=self.device, run_id=run_id), retained)

    @property
    def device_ledger(self) -> DeviceLedger:
        return self.ledger.devices()[self.site, self.device]
