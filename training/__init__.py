"""Training of the models that the device runs: pictures in, the folder of a run (``runs/<id>/``) out.

Where to look: `breast` trains the model that ships, `classify` any folder of pictures; both use `augment`, `gate` and
`checkpoint`. `evaluation` holds metrics, bootstrap intervals and calibration, `reporting` the HTML report, `inspect`
the checks of a data set before training.

What is handed on is files, never objects: `export` reads a run's folder and imports nothing of this package.
"""
