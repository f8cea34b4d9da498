"""Evaluation of held-out predictions: metrics with bootstrap intervals, calibration, thresholds."""
