"""Distributed training with `tf.distribute`: several devices or machines behind the same training loop.

Keras 3's ``Model.fit`` refuses MultiWorkerMirroredStrategy (3.15: "unsupported type PerReplica"); a loop of one's own
under the same strategy works, gradients summed over all workers by TensorFlow's collective operations. So the loop here
is its own for all strategies.
"""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

import tensorflow as tf

from edge.contracts.errors import ConfigError

if TYPE_CHECKING:
    from training.classify.recipe import ClassifierRecipe


def make_strategy(recipe: ClassifierRecipe) -> tf.distribute.Strategy:
    """Make the recipe's `tf.distribute` strategy; for ``none`` the default one, which distributes nothing.

    Raises ConfigError for multi-worker without TF_CONFIG, and for a batch that replicas cannot share evenly.
    """
    name = recipe.distribute.strategy
    if name == "multi-worker":
        _check_cluster()
        strategy: tf.distribute.Strategy = tf.distribute.MultiWorkerMirroredStrategy()
    elif name == "mirrored":
        devices = [d.name.replace("/physical_device:", "") for d in tf.config.list_logical_devices("GPU")]
        strategy = tf.distribute.MirroredStrategy(devices or [d.name for d in tf.config.list_logical_devices("CPU")])
    else:
        strategy = tf.distribute.get_strategy()
    if recipe.optimiser.batch % strategy.num_replicas_in_sync:
        raise ConfigError(
            f"a batch of {recipe.optimiser.batch} cannot be shared by {strategy.num_replicas_in_sync} replicas",
            hint="set [optimiser] batch to a multiple of them: it is the batch of all together",
        )
    return strategy


def is_chief(recipe: ClassifierRecipe) -> bool:
    """Whether this process writes the run's folder: the only process, or the first of the workers."""
    if recipe.distribute.strategy != "multi-worker":
        return True
    task = json.loads(os.environ["TF_CONFIG"])["task"]
    return bool(task["type"] == "chief" or (task["type"] == "worker" and task["index"] == 0))


def barrier(strategy: tf.distribute.Strategy) -> None:
    """Wait for all workers: one that leaves early would take the others' connection with it."""

    @tf.function  # type: ignore[untyped-decorator]  # TensorFlow is not typed here
    def meet() -> Any:
        def one() -> Any:
            return tf.distribute.get_replica_context().all_reduce(tf.distribute.ReduceOp.SUM, tf.constant(1.0))

        return strategy.run(one)

    meet()


def _check_cluster() -> None:
    try:
        config = json.loads(os.environ.get("TF_CONFIG", ""))
        complete = bool(config["cluster"]["worker"]) and {"type", "index"} <= set(config["task"])
    except (ValueError, KeyError, TypeError):
        complete = False
    if not complete:
        raise ConfigError(
            "multi-worker wants TF_CONFIG, which is not set or not whole",
            hint='for example {"cluster": {"worker": ["a:2222", "b:2222"]}, "task": {"type": "worker", "index": 0}}',
        )
