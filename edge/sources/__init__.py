"""Where frames come from: the implementations of the `Source` port, one a module, and what only they use.

A source knows how to get pictures and what its medium says of them (place, time, calibration, body part). It does
not judge them, does not resize them and knows nothing of what comes after. ``phantom_*`` modules are the parts of one
source, the seeded phantom; `edge.phantom.scene` can be used without it, for training and golden vectors.
"""
