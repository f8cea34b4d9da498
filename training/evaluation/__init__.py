"""Evaluation of held-out predictions: metrics with bootstrap intervals, calibration, thresholds.

Modules:

- ``bootstrap``: Bootstrap intervals of metrics over patients: 95 % by the percentile method, never over single
  pictures.
- ``calibration``: Calibration (Platt, temperature) and thresholds from held-out predictions: writes and reads
  ``calibration.json``.
- ``evaluate``: Evaluation of a breast run's predictions: AUC, accuracy, Dice and lesion hits, with intervals over
  patients.
- ``found_lesions``: Lesions that the mask head found in each held-out picture, by the very code that runs on the
  device.
- ``gate_command``: Work of ``training gate``: examples, features of the bundle's graph, fit and figures, and the files
  for export.
- ``gate_evaluation``: Evaluation of a new anatomy gate for an existing bundle, and its final fit: see `refit_gate`.
- ``gate_pictures``: Pictures to judge the anatomy gate by: breasts and other organs, as they are and bent by the second
  bender.
- ``held_out_predictions``: Held-out predictions of a run, or of all folds of a cross-validation: one row for each
  held-out picture.
- ``lesion_thresholds``: Choice of the lesion thresholds: from which mask value on is lesion, and from which score on it
  is reported.
- ``logistic_regression``: Logistic regression for a handful of numbers: calibration and abstention need no more than
  Newton's method.
- ``metrics``: Metrics of classification, segmentation and calibration: AUC, ROC, Dice, IoU, ECE, log loss,
  risk-coverage curve.
- ``second_bender``: Second bender, by which the anatomy gate is judged: scans along the beams of a probe, never used in
  training.
"""
