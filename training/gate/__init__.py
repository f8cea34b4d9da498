"""Anatomy gate, which refuses pictures of other anatomy: its examples, its fit, and its layers in the network.

Modules:

- ``anatomy_gate``: Anatomy gate (is this a breast B-mode picture?): a small network on means of the backbone's maps in
  depth bands.
- ``bundle_features``: Features of the anatomy gate from an existing bundle: maps of its int8 graph, as the device
  computes them.
- ``examples``: Training examples of the anatomy gate: breasts in every scan shape as positives, all else, as well, as
  negatives.
- ``file_negatives``: Negatives of the anatomy gate from files: ultrasound of other organs, other DICOM, photographs.
- ``file_views``: Views of the anatomy gate's file negatives: as they are, cropped, straightened, bent, with another
  gain.
- ``fit_stage``: The anatomy gate's stage of a training run: calls features, fit and evaluation, and adds the head to
  the network.
- ``head``: Layers of the fitted anatomy gate in the network: means in depth bands in, the anatomy head out.
- ``head_file``: File of a fitted anatomy gate, for ``export regate``: its layers as JSON, and their weights
  (docs/training.md).
- ``hidden_layer``: Fit of the anatomy gate's hidden layer: principal components in, several small networks side by side
  out.
- ``leave_one_out``: Evaluation of the anatomy gate on families of files that it never saw, each by a gate that is
  fitted without it.
- ``organ_negatives``: Synthetic superficial organs as negatives of the anatomy gate: skin and fat of a breast picture
  over other layers.
- ``representative``: Representative tensors of the anatomy gate's examples, which set the steps of its int8 layers.
- ``scan_shapes``: Scan shapes: a rectangular scan as a sector, a trapezoid or a parallelogram on black, and any of them
  as a rectangle.
- ``synthetic_negatives``: Synthetic negatives of the anatomy gate: test cards, noise, text, and distorted breast
  pictures.
"""
