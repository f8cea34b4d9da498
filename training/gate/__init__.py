"""The anatomy gate: its examples, its fit, and its layers in the network."""
