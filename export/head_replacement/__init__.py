"""Replacement of one head of an int8 graph: from float layers to operators beside the untouched trunk.

Modules:

- ``float_head``: Compute a head in floats on maps of features, and give each channel of its means the same range.
- ``graph_merge``: Replace one head of a TFLite graph by a graph of its own: every other operator, weight and step stays
  as it is.
- ``graph_writer``: Write an int8 TFLite graph operator by operator, as objects of the schema.
- ``head_design``: Design of a head: its layers and float weights, as they are fitted, and the file that holds them.
- ``int8_head``: Make the int8 TFLite graph of a head from its float design: steps from representative features, weights
  by channel.
- ``replaced_graph``: Give a graph a new head from its float design: representative pictures through the trunk, then the
  int8 layers.
- ``steps``: Steps (scale and zero point) of 8-bit values, chosen from the range that real values have.
"""
