"""Quantisation of a float SavedModel to TFLite: conversion, preparation of weights, full-integer int8 graphs.

Modules:

- ``convert``: Run a SavedModel in TensorFlow, and convert it to TFLite in every number format.
- ``cross_layer_equalisation``: Cross-layer equalisation: channels of a tensor get similar ranges before one scale must
  serve them all.
- ``full_integer``: Full-integer quantisation of a float SavedModel to a TFLite graph: uint8 input and outputs, int8
  inside.
- ``graph_editor``: Editor of a TFLite graph: its tensors, operators and constants (weights) as objects that can be
  changed.
- ``integer_check``: Check that a quantised TFLite graph computes integers only, in every operator.
- ``weight_rounding``: Weight rounding for quantisation (as AdaRound, GPTQ): a layer's outputs move least, not each
  weight by itself.
"""
