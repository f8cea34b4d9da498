"""Inspection of data sets before training and of models after: commands `check`, `look` and `eval`."""
