"""Recurrent network over the features of frames: sequences to learn from, its fit, and the decisions about it.

The features themselves are computed by the device's code (`edge.pipeline.video_features`); nothing of them stands here.
"""
