"""Anatomy gate, which refuses pictures of other anatomy: its examples, its fit, and its layers in the network."""
