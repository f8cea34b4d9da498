"""Recurrent network over the features of frames: sequences to learn from, its fit, and the decisions about it.

The features themselves are computed by the device's code (`edge.pipeline.video_features`); nothing of them stands here.

Modules:

- ``breast_step``: Recurrent network of the breast model: fitted on sweeps and pairs of views out of fold, by fold and
  on all.
- ``clip_features``: Features of clips as the device's step would be given them, computed once for each clip and model,
  and kept.
- ``clip_folder``: Folder of clips as a data set, ``class-name/*.mp4|dcm``: two classes, and perhaps folders without a
  lesion.
- ``decisions``: The two decisions about the recurrent network, each against its rule: when a lesion is new, and what a
  clip says.
- ``fit``: Fit of the recurrent network: Adam over batches of whole sequences, weights averaged, the same for the same
  seed.
- ``float_step``: The float network as a recurrent step, in place of ``clip.tflite``: to judge it, and rivals of it,
  without export.
- ``gru``: Gated recurrent unit with two outputs, in NumPy: its step, and the gradients of a whole sequence.
- ``recipe``: Recipe of a clip run as a typed TOML file with ``kind = "clip"``, and the record that a finished one
  keeps.
- ``report``: Command ``training report --clips --video``: the recurrent network beside all rules that are its rivals.
- ``run``: Run of recipe ``clip`` from beginning to end: READ `run_clips`, it is the whole of it.
- ``sequences``: Sequences of features that the recurrent network learns from: of tracks and frames in sweeps, and of
  views.
- ``store``: Files of a clip run: weights, features of clips, and sequences for export.
- ``video_run``: Command ``training video``: sweeps out of fold, the recurrent network that learns from them, and its
  limit.
- ``views``: Sets of looks at one lesion, drawn from a cross-validation's predictions: views of a patient in any order.
"""
