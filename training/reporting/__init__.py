"""Report of a model's evaluation for people: one HTML page and one JSON file. READ `command.py` FIRST.

The metrics come from a run's held-out predictions alone; what shows the model changed pictures (`perturbations`,
`saliency`, `lesion_presence.negative_control`) needs its SavedModel too. TensorFlow is loaded by `saved_model` and by
nothing else here.

Modules:

- ``class_figures``: Figures of a classifier's report, from its run's held-back predictions alone: by class,
  reliability, mistakes.
- ``class_page``: Page of a classifier's report: sections in the order in which a reader asks for them.
- ``collect``: Collection of all metrics of a report, in the order of the page. READ `collect` FIRST: each line is one
  section.
- ``command``: Command ``python -m training report``: an HTML page and a JSON file from a run's predictions.
- ``delivered_table``: Figures as a user gets them, as tables: for a terminal and for the report's page.
- ``descriptor_classifiers``: Classical classifiers on lesion descriptors, a baseline beside the CNN: on predicted
  masks, by the device's code.
- ``device_figures``: Figures of the report about what a device would be given and would say: fitted and judged out of
  source.
- ``lesion_presence``: Detection of a lesion's presence by the mask head, and a negative control that it does so for the
  right reason.
- ``mask_report``: Report of a segmentation: figures by class from what its run held back, and the page with its worst
  pictures.
- ``metric_tables``: Metric tables of the report: with intervals over patients, by picture, by case and by subgroup.
- ``page``: HTML page of the training report: plain words, tables with intervals, plots inside the file.
- ``perturbations``: Perturbation tests: callipers painted in, bright marks removed, the lesion hidden, and what that
  does to the AUC.
- ``pictures``: Pictures of the report: a tensor with true and found outline, or with its saliency map, as PNG in data
  URIs.
- ``plots``: Plots of the report as SVG text; needs matplotlib, of the training extra.
- ``quantisation``: Quantisation error: predictions of the int8 model compared with those of the float model.
- ``saliency``: Saliency map by occlusion: parts of the picture are hidden one after the other (Zeiler & Fergus, ECCV
  2014).
- ``saved_model``: Loading of a run's SavedModel as a function of one tensor.
- ``sections``: Sections of the report page in the order in which a reader asks for them, each with what its metrics
  mean.
- ``uncertainty``: Uncertainty signals of a benign or malignant call, and what abstaining from uncertain calls gains.
- ``validity_sections``: Validity sections, the second half of the page: checks of the metrics of the first half, and
  their limits.
- ``wording``: Names of metrics, operating points and classes as the report prints them.
"""
