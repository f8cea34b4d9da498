"""Normalisation of a foreign model's input: what its pixels are to become, told by the file, or asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from edge.contracts.errors import ModelError, UsageError

if TYPE_CHECKING:
    from edge.adopt.metadata import ForeignMetadata
    from edge.contracts.tensors import TensorSpec

IMAGENET_MEAN = (123.675, 116.28, 103.53)
IMAGENET_STD = (58.395, 57.12, 57.375)
OPTION = "--input-range 0..1, -1..1, 0..255 or imagenet"
NEAR = 0.03
"""An int8 input whose range ends so near to a usual one, by its own width, has that."""


class Normalisation(NamedTuple):
    """Mean and standard deviation in pixel values, and how they are known."""

    mean: tuple[float, ...]
    std: tuple[float, ...]
    why: str
    """For people."""


RANGES = {
    "0..1": ((0.0,), (255.0,)),
    "-1..1": ((127.5,), (127.5,)),
    "0..255": ((0.0,), (1.0,)),
    "imagenet": (IMAGENET_MEAN, IMAGENET_STD),
}
LIMITS = {"0..1": (0.0, 1.0), "-1..1": (-1.0, 1.0), "0..255": (0.0, 255.0)}


def find_normalisation(given: str | None, metadata: ForeignMetadata, spec: TensorSpec) -> Normalisation:
    """Normalisation by the option, else the metadata, else the input's own quantisation.

    Raises:
        UsageError: the option is not known, or nothing says how the pixels are to be given.
        ModelError: the metadata contradict the input.
    """
    channels = spec.shape[3]
    if given is not None:
        if given not in RANGES:
            raise UsageError(f"--input-range {given} is not known", hint=f"give {OPTION}")
        if given == "imagenet" and channels != 3:
            raise UsageError("--input-range imagenet is for three channels, the model takes one", hint=f"give {OPTION}")
        return Normalisation(*RANGES[given], "as --input-range says")
    if spec.dtype == "uint8":  # what every reader of such files does, whatever the metadata say
        return Normalisation((float(spec.zero_point),), (1 / spec.scale,), "a uint8 input takes pixel values")
    metadata.require_sound("mean")
    if metadata.mean:
        if len(metadata.mean) not in (1, channels):
            raise ModelError(
                f"its metadata have {len(metadata.mean)} means for {channels} channels", hint=f"give {OPTION}"
            )
        return Normalisation(metadata.mean, metadata.std, "as its metadata say")
    if spec.dtype == "int8" and (name := _range_of(spec)) is not None:
        return Normalisation(*RANGES[name], f"its int8 input is quantised for {name}")
    raise UsageError(
        f"nothing says which values its {spec.dtype} input takes for pixels of 0 to 255", hint=f"give {OPTION}"
    )


def _range_of(spec: TensorSpec) -> str | None:
    """Usual range that an int8 input is quantised for; None: none of them."""
    low, high = (spec.scale * (end - spec.zero_point) for end in (-128, 127))
    for name, (first, last) in LIMITS.items():
        slack = NEAR * (last - first)
        if abs(low - first) <= slack and abs(high - last) <= slack:
            return name
    return None
