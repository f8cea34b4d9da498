"""Tap: frames and their results on the way from the frame process to the viewer, through shared memory.

Modules:

- ``channel``: Channel between frame process and viewer: file descriptors that the supervisor makes, and both children
  inherit.
- ``messages``: Messages between frame process and viewer. They stay inside the device.
- ``reader``: Reader of the tap: the viewer's side of the channel. What is read is checked; a torn frame is never given.
- ``report``: Report of the frame process for the viewer, made of the one that the publisher gets.
- ``viewer_job``: Job description that the supervisor hands to the viewer when it starts it.
- ``writer``: Tap of the frame process: writes each judged frame, blacked out, into shared memory for the viewer.
"""
