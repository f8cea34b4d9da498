"""Reads and verifies model bundles: container, manifest, golden vectors, signature, graph, delegate placement.

A bundle is untrusted until every check here has passed. Only reading lives here: bundles are written by ``export``, on
a workstation. Nothing here runs a model.

Modules:

- ``bundle``: Model bundle: one ``.tflite`` with its manifest, labels, model card, and golden vectors that prove its
  outputs.
- ``bundle_checks``: Consistency checks of a bundle: hash, manifest, labels, golden vectors. Each failure is one
  `ModelError`.
- ``bundle_file``: Container format of a bundle: a TFLite flatbuffer with a ZIP appended, as in the TFLite metadata
  format.
- ``bundle_writer``: Writer of bundle files: the TFLite graph, then a ZIP whose bytes depend on its contents alone.
- ``classification_checks``: Consistency checks of a classifier's bundle: labels, golden vectors; and of what
  segmentation networks have too.
- ``classifier``: Plain classifier file: a ``.tflite`` with labels and ``classifier.json`` appended, for any TFLite
  tool.
- ``clip_model``: Recurrent step of a bundle, ``clip.tflite``: a flatbuffer with its own ``clip.json`` and golden
  sequence behind it.
- ``delegate_placement``: Delegate placement: from the operators that delegates took to their share of the graph's
  multiply-accumulates.
- ``golden_vectors``: Golden vectors, ``golden.npz``: frames, the tensors they must become, and the outputs that these
  must give.
- ``graph``: Inputs and outputs of a TFLite graph, read from its flatbuffer without a runtime.
- ``operators``: Operators of a TFLite graph, read without a runtime: kind, tensors, types and multiply-accumulates of
  each.
- ``scripted_manifest``: Manifest for ``scripted://``, which has no model: heads and thresholds as a real one would have
  them.
- ``segmentation_checks``: Consistency checks of what only a segmentation network's bundle has: its map, its rules, its
  golden vectors.
- ``signature``: Signature check of a file: verifies ``model.tflite.sig`` beside it with the public keys that this
  device trusts.
- ``zip_directory``: Opening a ZIP of a stranger: its directory is bounded before a reader makes an object of each entry
  that it lists.
"""
