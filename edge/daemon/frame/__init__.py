"""The frame process: capture, preprocessing, inference, post-processing; writes the outbox.

Modules:

- ``frame_commands``: Carries out frame commands in the frame process: begin another exam, stop or start a stream.
- ``process``: The frame process: runs sources, preprocessing, runtime and post-processing, and stores findings in the
  outbox.
"""
