"""What a run's predictions are worth, for people: one HTML page and one JSON file. READ `command.py` FIRST.

The figures come from a run's predictions alone; what shows the model altered pictures (`altered`, `saliency`,
`presence_control`) needs its SavedModel too. TensorFlow is loaded by `serving` and by nothing else here.
"""
