"""Check that every picture can be read before training: a broken one is reported now, not in the third epoch."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from tqdm import tqdm

from edge.contracts.errors import ConfigError
from training.classify.pictures import BrokenPictureError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from training.classify.split import ListedPicture

SHOWN = 20


def readable_pictures(
    pictures: Sequence[ListedPicture], skip_broken: bool, log: Callable[[str], None], threads: int = 2
) -> list[ListedPicture]:
    """Read all pictures and return those that can be used; the others are listed through ``log``.

    Raises ConfigError if there are others and ``skip_broken`` is not set.
    """
    with ThreadPoolExecutor(threads) as pool:
        bar = tqdm(pool.map(read_error, pictures), total=len(pictures), desc="read all pictures", mininterval=2)
        reasons = list(bar)
    bad = [reason for reason in reasons if reason]
    for reason in bad[:SHOWN]:
        log(f"broken: {reason}")
    if len(bad) > SHOWN:
        log(f"broken: and {len(bad) - SHOWN} more")
    if bad and not skip_broken:
        raise ConfigError(
            f"{len(bad)} of {len(pictures)} pictures cannot be used, the first: {bad[0]}",
            hint="mend them or take them out, or leave them out with --skip-broken",
        )
    return [picture for picture, reason in zip(pictures, reasons, strict=True) if not reason]


def read_error(picture: ListedPicture) -> str:
    """Reason why a picture cannot be used; empty if it can."""
    try:
        picture.load()
    except BrokenPictureError as error:
        return error.message
    return ""
