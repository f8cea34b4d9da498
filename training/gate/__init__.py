"""Anatomy gate, which refuses pictures of other anatomy: its examples, its fit, and its layers in the network.

Modules:

- ``anatomy_gate``: Anatomy gate (is this a breast B-mode picture?): a small network on means of the backbone's maps in
  depth bands.
- ``bundle_features``: Features of the anatomy gate from an existing bundle: maps of its int8 graph.
- ``examples``: Training examples of the anatomy gate: breasts in every scan shape as positives, all else as negatives.
- ``file_negatives``: Negatives of the anatomy gate from files: ultrasound of other organs, other DICOM, photographs.
- ``file_views``: Views of those files: as they are, cropped, straightened, bent, with another gain.
- ``fit_stage``: The anatomy gate's stage of a training run: calls features, fit and evaluation, and adds the head to
  the network.
- ``head``: Layers of the fitted anatomy gate in the network.
- ``head_file``: File of a fitted anatomy gate, for ``export regate``.
- ``hidden_layer``: Fit of the anatomy gate's hidden layer.
- ``leave_one_out``: Evaluation on families of files, each by a gate that is fitted without it.
- ``organ_negatives``: Synthetic superficial organs as negatives.
- ``representative``: Tensors that set the steps of the gate's int8 layers.
- ``scan_shapes``: Scan shapes: a rectangular scan as a sector, a trapezoid or a parallelogram, and back.
- ``synthetic_negatives``: Synthetic negatives of the anatomy gate: test cards, noise, text, and distorted breast
  pictures.
"""
