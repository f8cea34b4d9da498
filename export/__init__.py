"""Export of a trained model to the bundle that devices run: quantise, choose thresholds, measure, describe, pack.

Takes files, not objects: a run's folder (see `export.training_run`) is all that is known of training.

Modules:

- ``__main__``: Command line ``python -m export``: make a bundle from a training run, and print its metrics again.
- ``array_files``: Read a file of arrays (``.npz``) whole, so that a damaged one is one error and leaves nothing open.
- ``bundle``: Make a model bundle from a training run: READ `make_bundle`, it is the whole of it.
- ``bundle_file``: Write a bundle file: see `edge.models.bundle_writer`, which the device has too.
- ``classifier_bundle``: Make the bundle of a classifier's training run: READ `make_classifier_bundle`, it is the whole
  of it.
- ``classifier_calibration``: Calibration and thresholds of a classifier, chosen on held-back pictures with the
  quantised model's own outputs.
- ``classifier_card``: Model card of a classifier that was trained here, in Markdown, made from its manifest.
- ``classifier_metrics``: Metrics of a classifier on held-back pictures, whole and by class, with 95 % intervals that
  draw patients.
- ``classifier_parity``: Parity of a classifier: the same pictures in every runtime and number format, beside the float
  model.
- ``classifier_run``: Read the folder of a classifier's training run (recipes text-cnn, folder and their like), as far
  as export needs it.
- ``cli_classifier``: What ``python -m export`` does with the run or bundle of a classifier, where a lesion model's way
  is another.
- ``cli_clip``: Command ``export step``: the recurrent step of a clip run, beside its frame model.
- ``cli_regate``: Command ``export regate``: a new anatomy head for an existing bundle.
- ``cli_segmentation``: What ``python -m export`` does with the run or bundle of a segmentation.
- ``clip_bundle``: Bundle with a recurrent step: the frame model's bundle as it is, and ``clip.tflite`` beside its
  members.
- ``clip_run``: Reading of a clip run's folder, for export: record, network, and sequences of features.
- ``clip_step``: Int8 graph of a recurrent step: TensorFlow's converter, its difference to the floats, and its golden
  sequence.
- ``converted_graph``: Edit a converted TFLite graph as the converter cannot: order and names of outputs, own buffers,
  metadata.
- ``cross_validation_results``: Thresholds and metrics of a model that was trained on all data sets, from the
  cross-validation of its recipe.
- ``delegate_placement``: Share of a TFLite graph that a delegate (accelerator) takes: by operators, and by
  multiply-accumulates (MACs).
- ``engines``: Engines and number formats that a model of labels is compared in: outputs of each engine, files of each
  format.
- ``external_test_set``: External test set BUSI (Al-Dhabyani et al. 2020), of another hospital and other scanners: read
  it, measure on it.
- ``gate_files``: Read the files that a new anatomy head comes with: pictures, figures, limits, data sets.
- ``golden/``: Golden vectors of a bundle: chosen so that a changed weight is noticed (mutation testing), with their
  tolerances.
- ``head_layers``: Layers of each head of a model: those that its head alone needs, cut out of the graph to be run by
  themselves.
- ``head_replacement/``: Replacement of one head of an int8 graph: from float layers to operators beside the untouched
  trunk.
- ``input_gradient``: Gradient of a quantised graph's tensors with respect to its input picture, without TensorFlow.
- ``lesion_overlap``: Overlap of reported and true lesions on the tensor's grid: intersection over union (IoU), Dice.
- ``measure_bundle``: Measure a bundle for manifest and card: held-out pictures, the int8 model's outputs, the
  manifest's thresholds.
- ``metric_titles``: Names of the figures of ``report.json``, and what manifest and card call them.
- ``metrics``: Evaluation metrics (AUC, weighted mean), and 95 % bootstrap intervals that draw patients.
- ``model_card``: Model card of a bundle in Markdown, made from its manifest; licence, author and notice of the models.
- ``number_formats``: Compare number formats (int8, float16 …) of one model: size, time, and distance from the float
  model.
- ``onnx_macs``: Count multiply-accumulates (MACs) of an ONNX graph and write them into its file.
- ``other_anatomy``: Pictures of no breast, made of a phantom, that a breast model's gate must refuse: an eye.
- ``other_runtimes``: Run the same graph in other runtimes: tflite-runtime in an environment of its own, ONNX Runtime
  after conversion.
- ``out_of_fold``: What a classifier's 8-bit model says of pictures that it was not trained on: by its folds, or on
  validation pictures.
- ``parity``: Parity of runtimes: the same pictures through each of them, and how far its outputs are from the float
  model's.
- ``predict``: Run a TFLite graph over many tensors in LiteRT, one picture at a time as a device would.
- ``quantisation/``: Quantisation of a float SavedModel to TFLite: conversion, preparation of weights, full-integer int8
  graphs.
- ``quantisation_steps``: What each step before quantisation brings on a run of labels or masks, and which calls it
  turns.
- ``quantise_folds``: Quantise the models of a cross-validation or of one run, and keep the int8 outputs of each for its
  test pictures.
- ``regate``: Give an existing bundle a new anatomy head without a training run: the trunk and the other heads stay byte
  for byte.
- ``repack``: Repack a bundle: the same graph, byte for byte, with golden vectors that are searched anew and another
  version.
- ``run_folder``: Files that the folder of every training run has, whatever it trained: read and checked in one way.
- ``run_kinds``: Ways of ``python -m export`` for runs and bundles that are no lesion models: of a classifier, of a
  segmentation.
- ``segmentation_bundle``: Make the bundle of a segmentation's training run: READ `make_segmentation_bundle`, it is the
  whole of it.
- ``segmentation_card``: Model card of a segmentation that was trained here, in Markdown, made from its manifest.
- ``segmentation_metrics``: Metrics of a segmentation on held-back pictures, by class, with 95 % intervals that draw
  patients; its thresholds.
- ``segmentation_parity``: Parity of a segmentation: the same pictures in every runtime and number format, beside the
  float model.
- ``segmentation_run``: Read the folder of a segmentation's training run (heads = mask), as far as export needs it.
- ``sign``: Sign a bundle, or a file that a runtime loads beside it, with a key of one's own: no network, no identity
  provider.
- ``tflite_metadata``: Write standard TFLite metadata: a ModelMetadata flatbuffer, written table by table.
- ``thresholds``: Choose thresholds and calibration (Platt scaling) on validation pictures, with the int8 model's own
  outputs.
- ``training_run``: Read the folder of a training run, as far as export needs it.
- ``training_sources``: Data sets that a run was trained on, by what its record says, and what a model card must
  therefore say.
"""
