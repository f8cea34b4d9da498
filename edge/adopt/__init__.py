"""Adopts TFLite models from elsewhere: makes a bundle of a ``.tflite`` that says nothing, or little, of itself.

Neither TensorFlow nor the flatbuffers library is needed, so that it runs on a Raspberry Pi.

Modules:

- ``adopt``: Adopts a model from elsewhere: reads the file, settles what it leaves open, proves it, writes the bundle.
- ``card``: Model card of an adopted model: what is known of it, and that the rest is not.
- ``computed_cases``: Computes made pictures with a foreign model, and settles by its answers: kind of scores, rules,
  tolerances.
- ``flatbuffer_front``: Writer of new flatbuffer tables in front of an existing flatbuffer, whose bytes stay as they
  are.
- ``foreign_model``: Model from elsewhere, read from its flatbuffer without a runtime: input, output, operators, and
  what forbids it.
- ``golden_pictures``: Golden vectors of an adopted model: made pictures that it tells apart as well as it can, never
  anybody's.
- ``input_range``: Normalisation of a foreign model's input: what its pixels are to become, told by the file, or asked
  for.
- ``labelled_pictures``: Thresholds from pictures: what a model says of a user's own pictures, of which nothing is kept.
- ``metadata``: Standard TFLite metadata: what a foreign file says of itself, and what an adopted one is given.
- ``old_classifier``: What ``classifier.json`` says of a plain classifier of an earlier version: it is adopted without
  any question.
- ``operator_support``: Which operators of a model an Edge TPU could take, by what its compiler documents: integers and
  known kinds alone.
- ``score_kind``: What a classifier's output is: probabilities or logits, of labels that exclude each other or not.
- ``settle``: Settles what a foreign model's file leaves open, by what the user says: kind, labels, recipe, a first
  manifest.
- ``signed_graph``: Gives a model the signature and metadata of a bundle, by which runtimes find its input and its head.
- ``write_bundle``: Writer of bundle files of all kinds but lesion models: puts one together, and proves it as a device
  would.
"""
