"""Postprocessing: abstention rules, and the lesions, measures, descriptors and verdict of one frame.

All of it runs on every frame in the frame process: numpy and OpenCV only, no state, no I/O.

Modules:

- ``abstention_rules``: All abstention rules of a frame in their order: which frames are seen but not judged, and why.
- ``body_part``: Body parts: whether what DICOM or the configuration says is scanned contradicts the model, or names its
  own.
- ``classify``: Verdict of a classifier on one frame: its scores, and which labels they give.
- ``decide``: Verdict on one frame from the model's raw outputs: finding, clear, abstained, or no result for NaN
  outputs.
- ``dequantise``: Real values of what a model's output has stored.
- ``descriptors``: Lesion descriptors of the BI-RADS ultrasound lexicon, as numbers from the grey picture.
- ``drawn_screen``: Measures that tell pictures drawn by a computer, and electronic snow, from a scan, by neighbouring
  pixels.
- ``frame_context``: What is known of a frame beside its pixels and its model's outputs: whoever judges it is given
  this.
- ``gate_picture``: Picture as the pixel gate looks at it: its measures, each taken when a rule first asks for it.
- ``judged_labels``: Answers of classifiers and segmentation networks as the abstention rules ask for them: body part,
  labels found.
- ``label_areas``: Area of one label in a map: its pieces, their outlines on the source picture, its size in pixels and
  in mm2.
- ``lesions``: Lesion segmentation from a probability mask: outlines, boxes and sizes on the source picture.
- ``measure``: Measures of a lesion, lengths and areas in millimetres, only where a calibration holds.
- ``model_outputs``: Model outputs as real values: dequantised heads, calibrated malignancy probability, and lesions of
  the mask.
- ``pixel_gate``: Pixel gate: quality measures that tell a scan from a black, flat or coloured picture before the model
  is asked.
- ``rule_table``: Row of a table of abstention rules, and which row of a table applies first.
- ``scan_mask``: Mask of the scan's outlines in the small picture of its crop, kept while neither outlines nor crop
  change.
- ``segment``: Verdict of a segmentation network on one frame: the areas of its labels, with size, outlines and scores.
- ``tissue_proof``: Proof that the whole scan shows tissue, which a frame without a lesion needs to be clear, and its
  limits.
- ``tissue_view``: Measures of how much of the scan shows tissue, from the small grey picture that the model sees.
- ``traces``: Measures that tell traces from scans: M-mode and spectral Doppler show one line of sight over time.
"""
