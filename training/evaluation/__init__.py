"""Evaluation of held-out predictions: metrics with bootstrap intervals, calibration, thresholds.

Modules:

- ``bent_run``: A cross-validation judged on bent pictures: each fold's quantised model looks at the bent pictures of
  its own side.
- ``bootstrap``: Bootstrap intervals of metrics over patients: 95 % by the percentile method, never over single
  pictures.
- ``calibration``: Calibration (Platt, temperature) and thresholds from held-out predictions of hospitals that the
  models know.
- ``calibration_file``: File ``calibration.json``: calibration and thresholds for a bundle, and what they were chosen
  on.
- ``delivered``: Figures as a user gets them: what a device says of folds and stranger splits, abstentions counted
  against it.
- ``device_verdicts``: Verdicts on held-out pictures by the device's own rules, and their rates as a user gets them.
- ``evaluate``: Evaluation of a breast run's predictions: AUC, accuracy, Dice and lesion hits, with intervals over
  patients.
- ``found_lesions``: Lesions that the mask head found in each held-out picture, by the very code that runs on the
  device.
- ``gate_command``: Work of ``training gate``: examples, features of the bundle's graph, fit and figures, and the files
  for export.
- ``gate_evaluation``: Evaluation of a new anatomy gate for an existing bundle, and its final fit: see `refit_gate`.
- ``gate_pictures``: Pictures to judge the anatomy gate by: breasts and other organs, as they are and bent by the second
  bender.
- ``gate_scores``: Scores of an anatomy gate that was fitted apart from the runs, to judge their pictures as a device
  with it would.
- ``held_out_predictions``: Held-out predictions of a run, or of all folds of a cross-validation: one row for each
  held-out picture.
- ``lesion_free``: Lesion-free crops of a run's test pictures: pictures without a lesion from every hospital that the
  run never saw.
- ``lesion_thresholds``: Choice of the lesion thresholds: from which mask value on is lesion, and from which score on it
  is reported.
- ``logistic_regression``: Logistic regression for a handful of numbers: calibration and abstention need no more than
  Newton's method.
- ``metrics``: Metrics of classification, segmentation and calibration: AUC, ROC, Dice, IoU, ECE, log loss,
  risk-coverage curve.
- ``out_of_source``: Calibration and operating point fitted out of source: on pictures of hospitals and scanners that no
  model saw.
- ``second_bender``: Second bender, by which the anatomy gate is judged: scans along the beams of a probe, never used in
  training.
- ``stranger_splits``: Stranger splits: test pictures of runs that never saw their hospital or scanner, pooled for
  calibration.
- ``uncertain_calls``: Interval of probabilities whose calls are uncertain: those that cost most if they are wrong.
- ``write_calibration``: Choose what a bundle is calibrated by and write ``calibration.json``: out of source where
  stranger splits are given.
"""
