"""Networks of a generator's training: U-Net that fills, and PatchGAN discriminator that judges.

Both take any size that is a multiple of 8. The generator (Ronneberger et al. 2015; dilated in the middle, after Iizuka
et al. 2017) sees the patch without what is in the hole, the hole, and noise, from which it makes grain. The
discriminator (Isola et al. 2017) says of each place of a patch how real it looks; its weights are normalised by their
largest singular value (Miyato et al. 2018).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import keras
from keras import layers

if TYPE_CHECKING:
    from training.gan.settings import GeneratorSection, Task

MOST_PARAMETERS = 500_000
STRIDE = 4
"""Pixels of a patch by place that the discriminator judges."""


def _level(x: Any, width: int, name: str, stride: int = 1, dilation: int = 1) -> Any:
    x = layers.Conv2D(width, 3, stride, padding="same", dilation_rate=dilation, name=name)(x)
    return layers.LeakyReLU(negative_slope=0.2, name=f"{name}_relu")(x)


def build_generator(section: GeneratorSection, task: Task) -> keras.Model:
    """Build the untrained generator: (n, h, w, channels) float32 of `generator_input` to (n, h, w, 1), -1..1."""
    width = section.width
    image = keras.Input((None, None, 3 if task == "erase" else 5), name="patch")
    one = _level(image, width, "down1")
    two = _level(one, 2 * width, "down2", 2)
    four = _level(two, int(2.5 * width), "down4", 2)
    x = _level(four, 4 * width, "down8", 2)
    for number, dilation in enumerate((2, 4)):
        x = layers.Add(name=f"middle{number}_add")([x, _level(x, 4 * width, f"middle{number}", 1, dilation)])
    for skip, channels, name in ((four, int(2.5 * width), "up4"), (two, 2 * width, "up2"), (one, width, "up1")):
        x = layers.UpSampling2D(2, interpolation="bilinear", name=f"{name}_size")(x)
        x = _level(layers.Concatenate(name=f"{name}_both")([x, skip]), channels, name)
    return keras.Model(
        image, layers.Conv2D(1, 3, padding="same", activation="tanh", name="filled")(x), name="generator"
    )


def build_discriminator(section: GeneratorSection, task: Task) -> keras.Model:
    """Build the untrained discriminator: patch and hole (n, h, w, 2 or 4) to its judgement (n, h/4, w/4, 1)."""
    width = section.judge
    x = image = keras.Input((None, None, 2 if task == "erase" else 4), name="judged")
    for number, (channels, stride) in enumerate(((width, 2), (2 * width, 2), (3 * width, 1))):
        conv = layers.Conv2D(channels, 4, stride, padding="same", name=f"judge{number}")
        x = layers.LeakyReLU(negative_slope=0.2)(layers.SpectralNormalization(conv)(x))
    last = layers.SpectralNormalization(layers.Conv2D(1, 3, padding="same", name="judgement"))
    return keras.Model(image, last(x), name="discriminator")
