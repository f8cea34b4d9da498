"""Split protocols of the breast sets: one word says which pictures are for training, validation and test.

fold-1 … fold-5     the official fold of BUS-BRA, and a fifth of BUSI's groups
all                 no test pictures: the model that ships learns from all but 8 % of the patients (`VALIDATION_SHARE`)
bus-bra-to-busi     learns from BUS-BRA alone, is tested on BUSI
busi-to-bus-bra     the other way round
without:DEVICE      is tested on one scanner of BUS-BRA that it never saw
"""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import TYPE_CHECKING

from edge.contracts.errors import ConfigError
from training.datasets import BUS_BRA, BUSI, FOLDS, check_classes, check_split

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from training.datasets import Item, Split

VALIDATION_SHARE = 0.08
"""Share of training patients that are kept for validation: the anatomy gate's threshold, a line in the log."""
HINT = "give fold-1 to fold-5, all, bus-bra-to-busi, busi-to-bus-bra or without:DEVICE"


def assign_splits(protocol: str, items: Sequence[Item]) -> list[Item]:
    """Assign each item to training, validation or test by a protocol.

    Raises ConfigError for an unknown protocol, a leaking split, or one class alone.
    """
    is_test = _is_test(protocol, items)
    sided = []
    for item in items:
        side: Split = "test" if is_test(item) else ("val" if _share(item.group) < VALIDATION_SHARE else "train")
        sided.append(replace(item, split=side))
    check_split(sided)
    check_classes(sided, ("train", "val") if protocol == "all" else ("train", "val", "test"))
    return sided


def _is_test(protocol: str, items: Sequence[Item]) -> Callable[[Item], bool]:
    word, _, rest = protocol.partition("-")
    if protocol == "all":
        return lambda item: False
    if word == "fold" and rest in {str(k) for k in range(1, FOLDS + 1)}:
        return lambda item: item.fold == int(rest)
    if protocol == "bus-bra-to-busi":
        return lambda item: item.source == BUSI
    if protocol == "busi-to-bus-bra":
        return lambda item: item.source == BUS_BRA
    if protocol.startswith("without:"):
        device = protocol.removeprefix("without:")
        known = sorted({item.device for item in items if item.device})
        if device not in known:
            raise ConfigError(f"no scanner {device!r} in the data", hint=f"give one of {', '.join(known)}")
        # A patient seen on two scanners is held back with both.
        seen = {item.group for item in items if item.device == device}
        return lambda item: item.group in seen
    raise ConfigError(f"no protocol {protocol!r}", hint=HINT)


def _share(group: str) -> float:
    """Hash a group to a number in [0, 1): the same on every machine and in every protocol."""
    return int.from_bytes(hashlib.sha256(group.encode()).digest()[:4], "big") / 2**32
