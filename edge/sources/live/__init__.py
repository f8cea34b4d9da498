"""Live sources: cameras and network streams, each received and decoded in a child process of its own.

A driver or decoder that hangs or crashes costs its stream only. `source` is the parent's side, `child` the other;
`reader` is the port that each kind of URI implements in the child. Frames cross by `ring`.
"""
