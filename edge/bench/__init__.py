"""Benchmark: how long a frame takes from capture to the broker's acknowledgement, stage by stage.

Stands beside `edge.daemon` and runs the same loop. What may live here: measuring, the statistics of it, and what
shows them. Nothing here judges a picture.
"""
