"""Training of the breast model that ships: splits, training loop, cross-validation, the files of a finished run."""
