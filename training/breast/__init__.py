"""Training of the breast model that ships: splits, training loop, cross-validation, the files of a finished run.

Modules:

- ``cross_validation``: Cross-validation of the breast model: five runs by fold, whose out-of-fold predictions are
  pooled; and one run.
- ``finish_run``: The end of a breast run: fit the anatomy gate, evaluate, and write the files that export reads.
- ``learning_rates``: Two learning rates: layers from ImageNet weights learn slowly, the new layers of the mask may
  learn faster.
- ``loop``: Training loop of the breast model: losses, steps over cached views, checkpoint and validation after each
  epoch.
- ``predictions``: Predictions of a run's model for every picture that it never learnt from: the columns of
  ``predictions.npz``.
- ``protocol``: Split protocols of the breast sets: one word says which pictures are for training, validation and test.
- ``weight_average``: Exponential moving average of the trained weights (Polyak averaging), which a breast run validates
  and keeps.
"""
