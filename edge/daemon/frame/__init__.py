"""The frame process: capture, preprocessing, inference, post-processing; writes the outbox.

Modules:

- ``frame_commands``: Carries out frame commands in the frame process: begin another exam, stop or start a stream.
- ``open_files``: Open files of the frame process, written down for its successor: which one was read when it died,
  which are done.
- ``poison_files``: Poison files: how often the frame process died while a file was open, kept in the state directory.
- ``process``: The frame process: runs sources, preprocessing, runtime and post-processing, and stores findings in the
  outbox.
- ``reading_record``: Record of a run in the file ``reading``: which files are open, which are done, and what got no
  result.
- ``report``: Report of the frame process about itself, which the publisher and the viewer are sent every second.
- ``unjudged``: Counts what got no result of the sources that end by themselves: whoever waits for the end wants to know
  of it.
"""
