"""Report of a model's evaluation for people: one HTML page and one JSON file. READ `command.py` FIRST.

The metrics come from a run's held-out predictions alone; what shows the model changed pictures (`perturbations`,
`saliency`, `lesion_presence.negative_control`) needs its SavedModel too. TensorFlow is loaded by `saved_model` and by
nothing else here.
"""
