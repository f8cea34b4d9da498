"""Training of the models that the device runs: pictures in, the folder of a run (``runs/<id>/``) out.

Where to look: `breast` trains the model that ships, `classify` any folder of pictures; both use `augment`, `gate` and
`checkpoint`. `evaluation` holds metrics, bootstrap intervals and calibration, `reporting` the HTML report, `inspect`
the checks of a data set before training.

What is handed on is files, never objects: `export` reads a run's folder and imports nothing of this package.

Modules:

- ``__main__``: Entry point of ``python -m training``.
- ``augment/``: Data augmentation: appearance, geometry, and the cache of augmented views.
- ``breast/``: Training of the breast model that ships: splits, training loop, cross-validation, the files of a finished
  run.
- ``checkpoint``: Checkpoint of a training run: a killed run resumes from it, and a run of another recipe is refused.
- ``cines/``: Made cines, by which tracks over seconds and the joining of frames are chosen and judged.
- ``classify/``: Training of classifiers on any folder of pictures: recipes `text-cnn`, `folder` and `phantom`.
- ``cli``: Command line of ``python -m training``: train a model, cross-validate; the other commands are added here.
- ``cli_cines``: Commands ``training cines``: makes cines of held-out pictures, and judges tracks over seconds on them.
- ``cli_clips``: Command ``training video``: fits the recurrent network over the breast model's answers.
- ``cli_data``: Commands ``training check`` and ``training look``: inspect a data set before training.
- ``cli_evaluation``: Commands ``training eval``, ``calibrate`` and ``report``: evaluate a model, choose its
  calibration, report on it.
- ``cli_gan``: Commands ``training gan``, ``fill`` and ``gan-figures``: a generator that removes lesions, or draws them.
- ``cli_gate``: Command ``training gate``: a new anatomy gate for an existing bundle, judged on what it has not seen.
- ``clips/``: Recurrent network over the features of frames: sequences to learn from, its fit, and the decisions about
  it.
- ``datasets``: Readers of the breast data sets BUS-BRA and BUSI, and the checks that every split must pass.
- ``evaluation/``: Evaluation of held-out predictions: metrics with bootstrap intervals, calibration, thresholds.
- ``gan/``: Generator that fills a hole in a picture: it removes a lesion (``erase``), or draws one (``draw``).
- ``gate/``: Anatomy gate, which refuses pictures of other anatomy: its examples, its fit, and its layers in the
  network.
- ``inspect/``: Inspection of data sets before training and of models after: commands `check`, `look` and `eval`.
- ``network``: Network of the breast model: EfficientNet-Lite0 with two heads, as a Keras model of raw grey values
  0..255.
- ``phantoms``: Rendered phantoms as training items: lesions of known outline, which train the mask and never
  malignancy.
- ``recipe``: Recipe of a breast run as a typed TOML file: data, network, optimiser, gate. A run's folder keeps its
  recipe.
- ``reporting/``: Report of a model's evaluation for people: one HTML page and one JSON file. READ `command.py` FIRST.
- ``run_record``: Write a finished run's ``recipe.toml``: the recipe, and the git revision that it was trained at; what
  to do next.
- ``tensorflow_log``: TensorFlow's own log of a training run: kept in a file, off the terminal, where progress and
  results are read.
- ``tensorflow_threads``: Number of TensorFlow's threads, set before its first use; its own log goes into the run's
  folder.
- ``weights``: ImageNet weights of EfficientNet-Lite0 from a package of the package index, read without torch.
"""
