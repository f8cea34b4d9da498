"""The frame process: capture, preprocessing, inference, post-processing; writes the outbox.

Modules:

- ``frame_commands``: Carries out frame commands in the frame process: begin another exam, stop or start a stream.
- ``open_files``: Open files of the frame process, written down for its successor: which one was read when it died,
  which are done.
- ``poison_files``: Poison files: how often the frame process died while a file was open, kept in the state directory.
- ``process``: The frame process: runs sources, preprocessing, runtime and post-processing, and stores findings in the
  outbox.
"""
