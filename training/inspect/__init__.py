"""Inspection of data sets before training and of models after: commands `check`, `look` and `eval`.

Modules:

- ``class_folders``: Class folders from a table: links to the pictures that ``labels.csv`` names, as the recipe folder
  wants them.
- ``contact_sheet``: Contact sheet of a data set for ``training look``: what the network is shown, as one picture of
  many.
- ``dataset_check``: Data-set check for ``training check DIR``: broken files, duplicates, look-alikes and leaking splits
  in a folder.
- ``evaluate_mask_table``: Evaluation of a segmentation on the pictures of a CSV table, for ``training eval MODEL CSV``.
- ``evaluate_table``: Evaluation of a model on the pictures of a CSV table, for ``training eval MODEL CSV``.
- ``lookalikes``: Look-alike search: pairs of pictures that show the same scan, also cropped, zoomed, brightened or
  annotated anew.
- ``model_functions``: Models as functions of one tensor, for evaluation: a TFLite graph, or the float model of a run.
- ``sample_pictures``: Random selection of pictures for the contact sheet, from a folder or from the breast sets.
"""
