"""Network of the breast model: EfficientNet-Lite0 with two heads, as a Keras model of raw grey values 0..255.

The backbone is EfficientNet-Lite0 (Tan & Le 2019 in the variant without squeeze-excite and with ReLU6 that was made
for integer hardware). It was trained on (x - 127) / 128; that is folded into the stem here, so that the exported
model's uint8 input *is* the pixel value (scale 1, zero point 0). The lesion mask comes from a light feature pyramid
(Lin et al. 2017) down to a quarter of the input's side. Malignancy is judged by the whole picture and by what the mask
points at. All but the softmax is made of operations that XNNPACK takes in int8.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import keras
from keras import layers

from edge.contracts.manifest import LESION_MASK, MALIGNANCY

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

STAGES = (
    (3, 1, 1, 16, 1),
    (3, 2, 6, 24, 2),
    (5, 2, 6, 40, 2),
    (3, 2, 6, 80, 3),
    (5, 1, 6, 112, 3),
    (5, 2, 6, 192, 4),
    (3, 1, 6, 320, 1),
)
"""(kernel, stride, expansion, channels, repeats) of the backbone's stages."""
SKIPS = {4: "block2", 8: "block4", 16: "block10", 32: "block15"}
"""By stride: the block whose output enters the pyramid."""
TAPS = (SKIPS[4], SKIPS[8])
"""Last layers that keep their ImageNet weights: their outputs can be cached (`training.augment.views`)."""
FROZEN_BLOCKS = 5
FIXED = "_fixed"
"""Suffix of the names of layers whose weights are constants: no training moves them."""
POOLS = ("pool32", "pool_inside", "pool_around")
SHARE = 4.0
EPSILON = 1e-3


def _norm(x: Any, name: str) -> Any:
    return layers.BatchNormalization(epsilon=EPSILON, name=name)(x)


def _block(x: Any, index: int, kernel: int, stride: int, expansion: int, channels: int) -> Any:
    """One inverted residual block; names follow torch's, so that weights are found."""
    name, skip = f"block{index}", x
    if expansion != 1:
        x = layers.Conv2D(x.shape[-1] * expansion, 1, use_bias=False, name=f"{name}_expand_conv")(x)
        x = layers.ReLU(6.0, name=f"{name}_expand_relu")(_norm(x, f"{name}_bn0"))
    x = layers.DepthwiseConv2D(kernel, stride, padding="same", use_bias=False, name=f"{name}_depthwise_conv")(x)
    x = layers.ReLU(6.0, name=f"{name}_depthwise_relu")(_norm(x, f"{name}_bn1"))
    x = _norm(layers.Conv2D(channels, 1, use_bias=False, name=f"{name}_project_conv")(x), f"{name}_bn2")
    if stride == 1 and skip.shape[-1] == channels:
        x = layers.Add(name=name)([skip, x])
    return x


def _backbone(x: Any) -> tuple[Any, dict[str, Any]]:
    """The last feature map (h/32, w/32, 1280), and every block's output by name."""
    x = layers.Conv2D(32, 3, 2, padding="same", use_bias=False, name="stem_conv")(x)
    x = layers.ReLU(6.0, name="stem_relu")(_norm(x, "stem_bn"))
    outputs: dict[str, Any] = {}
    for kernel, stride, expansion, channels, repeats in STAGES:
        for i in range(repeats):
            x = _block(x, len(outputs), kernel, stride if i == 0 else 1, expansion, channels)
            outputs[f"block{len(outputs)}"] = x
    x = layers.Conv2D(1280, 1, use_bias=False, name="head_conv")(x)
    return layers.ReLU(6.0, name="head_relu")(_norm(x, "head_bn")), outputs


def mean(x: Any, name: str, times: float = 1.0) -> Any:
    """Mean of (n, h, w, c) over the picture times ``times``, (n, c): down the columns, then along the row that is left.

    As DEPTHWISE_CONV_2D with constants, which every device sums exactly and rounds alike, once a pass: int8 MEAN is
    rounded otherwise by XNNPACK's kernels for x86-64 than by those for Arm. Both sides in one pass would cost more than
    the rest of the heads: XNNPACK is fast up to 25 cells.
    """
    for side, size, share in (("down", (x.shape[1], 1), 1.0), ("along", (1, x.shape[2]), times)):
        constant = keras.initializers.Constant(share / max(size))
        layer = layers.DepthwiseConv2D(
            size, use_bias=False, depthwise_initializer=constant, trainable=False, name=f"{name}_{side}{FIXED}"
        )
        x = layer(x)
    return layers.Reshape((x.shape[3],), name=name)(x)


def _refine(x: Any, width: int, name: str) -> Any:
    """Depthwise 3x3 convolution, then 1x1: gathers from the neighbourhood and mixes channels."""
    x = layers.DepthwiseConv2D(3, padding="same", name=f"{name}_depthwise")(x)
    return layers.Conv2D(width, 1, activation=keras.activations.relu6, name=f"{name}_mix")(x)


def _pyramid(blocks: Mapping[str, Any], width: int) -> Any:
    """Logit of lesion, (h/4, w/4, 1): coarse maps are upsampled and added to finer ones."""
    x = layers.Conv2D(width, 1, activation=keras.activations.relu6, name="lateral32")(blocks[SKIPS[32]])
    for stride in (16, 8, 4):
        x = layers.UpSampling2D(2, interpolation="bilinear", name=f"up{stride}")(x)
        lateral = layers.Conv2D(width, 1, name=f"lateral{stride}")(blocks[SKIPS[stride]])
        x = _refine(layers.Add(name=f"merge{stride}")([x, lateral]), width, f"refine{stride}")
    x = _refine(x, width, "mask")
    return layers.Conv2D(1, 1, name="mask_logit")(x)


def _guided(blocks: Mapping[str, Any], mask: Any, width: int) -> dict[str, Any]:
    """Features pooled where the mask finds a lesion, and right around it: (n, ``width``) by name.

    The mask only weights the pooling, it learns nothing here: no gradient of malignancy reaches it.
    """
    wide = layers.UpSampling2D(2, interpolation="bilinear", name="look_up")(blocks[SKIPS[32]])
    both = layers.Concatenate(name="look_both")([blocks[SKIPS[16]], wide])
    look = layers.Conv2D(width, 1, activation=keras.activations.relu6, name="look")(both)
    share = keras.initializers.Constant(1 / 16)  # a mean as a convolution: XNNPACK takes no int8 AVERAGE_POOL_2D
    inside = layers.DepthwiseConv2D(4, 4, use_bias=False, depthwise_initializer=share, name=f"inside{FIXED}")(
        keras.ops.stop_gradient(mask)
    )
    around = layers.MaxPooling2D(3, 1, padding="same", name="around")(inside)
    wheres = {"pool_inside": inside, "pool_around": around}
    # A lesion fills a small share of the picture, hence SHARE.
    return {k: mean(layers.Multiply(name=f"{k}_look")([look, where]), k, SHARE) for k, where in wheres.items()}


def build(width: int, height: int, *, pyramid: int = 64, guided: int = 128, dropout: float = 0.3) -> keras.Model:
    """Build the untrained model without its anatomy head: input (n, height, width, 3) float 0..255, two heads by name.

    Heads: malignancy (n, 2), the probabilities of benign and malignant; lesion mask (n, height/4, width/4, 1), 0..1.

    ``guided``: width of the features that are pooled where the mask is; 0: malignancy is judged by the whole picture.
    """
    image = keras.Input((height, width, 3), name="image")
    top, blocks = _backbone(image)
    mask = layers.Activation("sigmoid", name=LESION_MASK)(_pyramid(blocks, pyramid))
    pools = {"pool32": mean(top, "pool32")}
    if guided:
        pools |= _guided(blocks, mask, guided)
    # One vote for each, added up: joined features would have to share one quantisation step.
    votes = [
        layers.Dense(2, name=f"vote_{name}")(layers.Dropout(dropout, name=f"dropout_{name}")(pool))
        for name, pool in pools.items()
    ]
    logits = layers.Add(name="votes")(votes) if len(votes) > 1 else votes[0]
    malignancy = layers.Softmax(name=MALIGNANCY)(logits)
    model = keras.Model(image, {MALIGNANCY: malignancy, LESION_MASK: mask}, name="lite0")
    model.get_layer("mask_logit").bias.assign([-2.0])  # most pixels are no lesion; start from there
    return model


def embedding(model: keras.Model) -> list[Any]:
    """Pooled features that malignancy is computed from, as tensors of ``model``."""
    return [layer.output for layer in model.layers if layer.name in POOLS]


def taps(model: keras.Model) -> keras.Model:
    """The frozen part of the model: image to the feature maps that `learner` starts from."""
    return keras.Model(model.inputs, [model.get_layer(name).output for name in TAPS])


def learner(model: keras.Model) -> keras.Model:
    """The trainable part of the model, with the same layers: outputs of `taps` to the heads by name."""
    return keras.Model([model.get_layer(name).output for name in TAPS], model.output)


def load_imagenet(model: keras.Model, tensors: Mapping[str, NDArray[Any]]) -> None:
    """Load ImageNet weights, by torch name and in torch's shapes, into the backbone; the stem normalises."""
    layout = {"_conv_stem": "stem_conv", "_bn0": "stem_bn", "_conv_head": "head_conv", "_bn1": "head_bn"}
    for i in range(16):
        for part in ("_expand_conv", "_bn0", "_depthwise_conv", "_bn1", "_project_conv", "_bn2"):
            if f"_blocks.{i}.{part}.weight" in tensors:
                layout[f"_blocks.{i}.{part}"] = f"block{i}{part}"
    for source, target in layout.items():
        layer = model.get_layer(target)
        weight = tensors[f"{source}.weight"]
        if weight.ndim == 4:
            depthwise = "depthwise" in target
            layer.set_weights([weight.transpose((2, 3, 0, 1) if depthwise else (2, 3, 1, 0))])
        else:
            layer.set_weights([weight, *(tensors[f"{source}.{k}"] for k in ("bias", "running_mean", "running_var"))])
    kernel = model.get_layer("stem_conv").get_weights()[0]
    gamma, beta, mean, var = model.get_layer("stem_bn").get_weights()
    # conv(w, (x - 127) / 128) = conv(w / 128, x) - 127 / 128 sum(w), and the sum moves into the mean.
    model.get_layer("stem_conv").set_weights([kernel / 128.0])
    model.get_layer("stem_bn").set_weights([gamma, beta, mean + 127.0 / 128.0 * kernel.sum(axis=(0, 1, 2)), var])


def freeze(model: keras.Model, blocks: int = FROZEN_BLOCKS) -> None:
    """Freeze every batch norm at its ImageNet statistics, and the stem and the first ``blocks`` blocks altogether.

    By default those up to the last tap: the output of `taps` never changes then.
    """
    held = ("stem_", *(f"block{i}_" for i in range(blocks)))
    for layer in model.layers:
        frozen = (
            isinstance(layer, layers.BatchNormalization) or layer.name.startswith(held) or layer.name.endswith(FIXED)
        )
        layer.trainable = not frozen
