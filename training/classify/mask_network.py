"""Segmentation networks: one map of class probabilities, background first, at half of the input's side.

A U-Net (Ronneberger et al. 2015) in small: maps of the encoder are joined again on the way up. Skips are added, where
the encoder is EfficientNet-Lite0, or concatenated; both are operations that XNNPACK takes in 8 bits.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import keras
from keras import layers

from edge.contracts.errors import ConfigError

if TYPE_CHECKING:
    from training.classify.recipe import ClassifierRecipe

MASK = "mask"
"""Head: (n, height/2, width/2, k) probabilities of the classes of each place, background first."""
CELL = 2
"""Side of one place of the map, in pixels of the tensor."""
STEP = 32
"""Width and height of the input must be multiples of it: each level of the network halves them."""
WIDTH = 48
"""Channels of the way up."""
SKIPS = (("block10", 16), ("block4", 8), ("block2", 4), ("block0_bn2", 2))
"""Layers of EfficientNet-Lite0 that are joined on the way up, with their strides."""


def mask_network(recipe: ClassifierRecipe, classes: int) -> keras.Model:
    """Build the segmentation network of a recipe for so many classes, background among them.

    Raises ConfigError for an input whose sides the network cannot halve, and a backbone that has no way up.
    """
    p, network = recipe.preprocess, recipe.network
    if p.width % STEP or p.height % STEP:
        raise ConfigError(
            f"heads = mask wants sides that are multiples of {STEP}, got {p.width} x {p.height}",
            hint="set width and height in [preprocess], 160 or 224 for example",
        )
    if network.backbone == "lite0":
        return _lite0(p.width, p.height, classes, network.dropout, network.frozen_blocks)
    if network.backbone == "small":
        return _small((p.height, p.width, p.channels), classes, network.dropout)
    raise ConfigError(
        f"the backbone {network.backbone} has no way up to a mask", hint="set backbone to lite0, or small"
    )


def _lite0(width: int, height: int, classes: int, dropout: float, frozen: int) -> keras.Model:
    from training import network
    from training.weights import imagenet_lite0

    whole = network.build(width, height)
    network.load_imagenet(whole, imagenet_lite0())
    network.freeze(whole, frozen)
    x = _mix(whole.get_layer("block15_bn2").output, "top")
    for name, stride in SKIPS:
        x = layers.UpSampling2D(2, interpolation="bilinear", name=f"mask_up{stride}")(x)
        skip = layers.Conv2D(WIDTH, 1, name=f"mask_skip{stride}")(whole.get_layer(name).output)
        x = layers.Add(name=f"mask_join{stride}")([x, skip])
        x = _mix(layers.DepthwiseConv2D(3, padding="same", name=f"mask_depthwise{stride}")(x), str(stride))
    return keras.Model(whole.input, {MASK: _head(x, classes, dropout)}, name="lite0_mask")


def _small(shape: tuple[int, int, int], classes: int, dropout: float) -> keras.Model:
    """Four levels of strided convolutions and the way up again, for demonstrations and tests."""
    image = keras.Input(shape, name="image")
    x = layers.Rescaling(1 / 128, offset=-1, name="scale")(image)
    levels = []
    for stride, channels in ((2, 16), (4, 32), (8, 48), (16, 64)):
        x = _convolve(x, channels, 2, f"down{stride}")
        levels.append((stride, x))
    x = _convolve(x, 64, 1, "deep")
    for stride, skip in reversed(levels[:-1]):
        x = layers.UpSampling2D(2, interpolation="bilinear", name=f"mask_up{stride}")(x)
        x = layers.Concatenate(name=f"mask_join{stride}")([x, skip])
        x = _convolve(x, 32, 1, f"up{stride}")
    return keras.Model(image, {MASK: _head(x, classes, dropout)}, name="small_mask")


def _head(x: Any, classes: int, dropout: float) -> Any:
    x = layers.SpatialDropout2D(dropout, name="mask_dropout")(x)
    bias = keras.initializers.Constant([2.0] + [0.0] * (classes - 1))  # most places are background: start from there
    logits = layers.Conv2D(classes, 1, bias_initializer=bias, name="mask_logits")(x)
    return layers.Softmax(name=MASK)(logits)


def _mix(x: Any, name: str) -> Any:
    """1x1 convolution; its batch norm brings maps of the trunk, whose ranges differ widely, to one."""
    x = layers.Conv2D(WIDTH, 1, use_bias=False, name=f"mask_mix_{name}")(x)
    return layers.ReLU(6.0, name=f"mask_relu_{name}")(
        layers.BatchNormalization(momentum=0.9, name=f"mask_norm_{name}")(x)
    )


def _convolve(x: Any, channels: int, stride: int, name: str) -> Any:
    x = layers.Conv2D(channels, 3, stride, padding="same", use_bias=False, name=name)(x)
    return layers.ReLU(6.0, name=f"{name}_relu")(layers.BatchNormalization(momentum=0.9, name=f"{name}_norm")(x))
