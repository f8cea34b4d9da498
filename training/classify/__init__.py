"""Training of classifiers on any folder of pictures: recipes `text-cnn`, `folder` and `phantom`.

Pictures are streamed from disk (`input_pipeline`), so that memory does not grow with the data. Read `loop` first.

Modules:

- ``cache``: Cache of preprocessed tensors on disk, by number: made once, read again each epoch, never all in memory.
- ``distribute``: Distributed training with `tf.distribute`: several devices or machines behind the same training loop.
- ``folder``: Folder of pictures as a data set: a folder for each class, optional masks, patients and splits.
- ``folds``: Folds of a classifier's run: models of the same recipe, each of which never saw the part that it judges.
- ``gate_stage``: Anatomy gate of a classifier's run: fitted on the trained network's own features, as the breast
  model's is.
- ``held_tensors``: Tensors that a classifier's run keeps: training pictures for quantisation, held-back ones for
  export's figures.
- ``input_pipeline``: Input pipeline of `tf.data` that streams: pictures are read, augmented and preprocessed as batches
  are asked for.
- ``item_sample``: Samples of a classifier's pictures: in grey or colour, with masks of one class or many, augmented or
  as they are.
- ``loop``: Training loop of the classifiers, on one device or many: optimiser, loss, epochs. READ `train` FIRST.
- ``mask_folder``: Folder of pictures with masks, for segmentation: which class the lit pixels of a mask are.
- ``mask_metrics``: Metrics of a segmentation: Dice, IoU, recall and precision by class, with 95 % intervals over
  patients.
- ``mask_network``: Segmentation networks: one map of class probabilities, background first, at half of the input's
  side.
- ``mask_predictions``: What a segmentation network says of held-out pictures: pixel counts by class, kept in
  ``masks.npz``.
- ``metrics``: Metrics of a classifier's scores, with 95 % bootstrap intervals over patients, and the confusion matrix.
- ``networks``: Networks of the classifiers: each takes raw grey values 0 to 255, (n, height, width, 3), and gives heads
  by name.
- ``phantom_dataset``: Data set of rendered phantoms, as a folder like any other: ``benign``, ``malignant``, ``empty``
  and ``other``.
- ``phantom_kinds``: Ten kinds of phantom that a small network tells apart: scan shape, lesion, shadow, interference,
  gain; test cards.
- ``pictures``: Reading of one picture or mask from disk, as the device's sources read it.
- ``predict``: Predictions of a classifier for held-out pictures, batch by batch.
- ``predict_masks``: Predictions of a segmentation network for held-out pictures, batch by batch.
- ``predictions_file``: ``predictions.csv`` of a classifier's run: what the float model says of each held-back picture.
- ``read_check``: Check that every picture can be read before training: a broken one is reported now, not in the third
  epoch.
- ``recipe``: Recipe of a classifier's run as a typed TOML file with ``kind = "classifier"``.
- ``run``: Run of a classifier from beginning to end: READ `run_classifier`, it is the whole of it.
- ``saved_model``: Writing of a classifier as a TensorFlow SavedModel without custom classes.
- ``split``: Train, validation and test split that keeps a group on one side, over pictures that are listed but not yet
  read.
- ``tensorboard``: TensorBoard of a classifier's run: curves of training and validation, confusion matrix, sample
  pictures.
- ``write_run``: Writing of a classifier's or segmentation's run after training: figures, predictions, tensors, model,
  record.
"""
