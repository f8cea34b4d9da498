"""Networks of the classifiers: each takes raw grey values 0 to 255, (n, height, width, 3), and gives heads by name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import keras
from keras import layers

from edge.contracts.errors import ConfigError
from edge.contracts.manifest import ANATOMY, LESION_MASK, MALIGNANCY
from training.classify.mask_network import mask_network
from training.network import mean

if TYPE_CHECKING:
    from training.classify.recipe import ClassifierRecipe

CLASSES = "classes"
"""Head: (n, k) probabilities of the classes."""
TEXT_CLASSES = 10


def build(recipe: ClassifierRecipe, classes: int) -> keras.Model:
    """Build the recipe's network for so many classes, with new weights or ImageNet's.

    Raises ConfigError for heads that the backbone cannot have.
    """
    shape = (recipe.preprocess.height, recipe.preprocess.width, recipe.preprocess.channels)
    network = recipe.network
    if network.heads == "mask":
        return mask_network(recipe, classes)
    if network.heads == "bundle":
        if network.backbone != "small":
            raise ConfigError(
                f"the backbone {network.backbone} has no mask head here",
                hint='backbone = "small" has one; the recipe breast trains EfficientNet-Lite0 with one',
            )
        return small(shape, network.dropout)
    if network.backbone == "text-cnn":
        return text_cnn(shape, classes, network.dropout)
    if network.backbone == "lite0":
        return lite0(shape, classes, network.dropout, network.frozen_blocks)
    image, x, _ = _strided(shape)
    return keras.Model(image, {CLASSES: _probabilities(x, classes, network.dropout, CLASSES)}, name="small")


def text_cnn(
    shape: tuple[int, int, int] = (224, 224, 3), classes: int = TEXT_CLASSES, dropout: float = 0.2
) -> keras.Model:
    """Build the text CNN: conv 32, pool, conv 64, pool, flatten, dense 64, dropout, softmax."""
    image = keras.Input(shape, name="image")
    x = layers.Rescaling(1 / 255, name="scale")(image)
    x = layers.MaxPooling2D(name="pool1")(layers.Conv2D(32, 3, activation="relu", name="conv1")(x))
    x = layers.MaxPooling2D(name="pool2")(layers.Conv2D(64, 3, activation="relu", name="conv2")(x))
    x = layers.Dense(64, activation="relu", name="dense")(layers.Flatten(name="flatten")(x))
    return keras.Model(image, {CLASSES: _probabilities(x, classes, dropout, CLASSES)}, name="text_cnn")


def lite0(shape: tuple[int, int, int], classes: int, dropout: float, frozen: int) -> keras.Model:
    """Build EfficientNet-Lite0 from its ImageNet weights, batch norms and the first ``frozen`` blocks frozen."""
    from training import network
    from training.weights import imagenet_lite0

    whole = network.build(shape[1], shape[0])
    network.load_imagenet(whole, imagenet_lite0())
    network.freeze(whole, frozen)
    x = mean(whole.get_layer("head_relu").output, "features")
    return keras.Model(whole.input, {CLASSES: _probabilities(x, classes, dropout, CLASSES)}, name="lite0_classes")


def small(shape: tuple[int, int, int], dropout: float) -> keras.Model:
    """Build four strided convolutions with the three heads of a bundle; the mask is a quarter of the input's side."""
    image, x, (quarter, eighth) = _strided(shape)
    malignancy = _probabilities(x, 2, dropout, MALIGNANCY)
    anatomy = layers.Dense(1, activation="sigmoid", name=ANATOMY)(x)
    wide = layers.UpSampling2D(2, interpolation="bilinear", name="up")(_convolve(eighth, 48, 1, "mask8"))
    merged = layers.Concatenate(name="merge")([wide, quarter])
    mask = layers.Conv2D(1, 1, name="mask_logit")(_convolve(merged, 48, 1, "mask4"))
    mask = layers.Activation("sigmoid", name=LESION_MASK)(mask)
    return keras.Model(image, {MALIGNANCY: malignancy, LESION_MASK: mask, ANATOMY: anatomy}, name="small")


def _strided(shape: tuple[int, int, int]) -> tuple[Any, Any, tuple[Any, Any]]:
    """Input, pooled features, and the maps at a quarter and at an eighth."""
    image = keras.Input(shape, name="image")
    x = layers.Rescaling(1 / 128, offset=-1, name="scale")(image)
    quarter = _convolve(_convolve(x, 16, 2, "conv2"), 32, 2, "conv4")
    eighth = _convolve(_convolve(quarter, 64, 2, "conv8"), 64, 1, "conv8b")
    top = _convolve(_convolve(eighth, 96, 2, "conv16"), 128, 1, "conv16b")
    return image, mean(top, "features"), (quarter, eighth)


def _convolve(x: Any, channels: int, stride: int, name: str) -> Any:
    x = layers.Conv2D(channels, 3, stride, padding="same", use_bias=False, name=name)(x)
    return layers.ReLU(6.0, name=f"{name}_relu")(layers.BatchNormalization(momentum=0.9, name=f"{name}_norm")(x))


def _probabilities(x: Any, classes: int, dropout: float, name: str) -> Any:
    return layers.Dense(classes, activation="softmax", name=name)(layers.Dropout(dropout, name="dropout")(x))


def class_head(model: keras.Model) -> str:
    """Name of the head that holds the probabilities of the classes."""
    return MALIGNANCY if MALIGNANCY in model.output else CLASSES
