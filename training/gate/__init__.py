"""Anatomy gate, which refuses pictures of other anatomy: its examples, its fit, and its layers in the network.

Modules:

- ``anatomy_gate``: Anatomy gate (is this a breast B-mode picture?): its mathematics and its fit on the trained
  network's features.
- ``examples``: Training examples of the anatomy gate: breast B-mode pictures as positives, everything else as
  negatives.
- ``file_negatives``: Negatives of the anatomy gate from files: ultrasound of other organs, other DICOM, photographs.
- ``fit_stage``: The anatomy gate's stage of a training run: calls features, fit and evaluation, and adds the head to
  the network.
- ``head``: Layers of the fitted anatomy gate in the network: pooled features in, the anatomy head out.
- ``synthetic_negatives``: Synthetic negatives of the anatomy gate: test cards, noise, text, and distorted breast
  pictures.
"""
