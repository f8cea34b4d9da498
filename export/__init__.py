"""Export of a trained model to the bundle that devices run: quantise, choose thresholds, measure, describe, pack.

Takes files, not objects: a run's folder (see `export.training_run`) is all that is known of training.
"""
