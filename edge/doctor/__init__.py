"""Self-check of a machine for ``edge-cli doctor``: tries all that a daemon needs and says what is missing.

One module a subject; each gives `Check` lines and raises nothing. What could hang or crash is done in a child.

Modules:

- ``all_checks``: Runs all checks of ``edge-cli doctor``, in the order in which one would mend what they find.
- ``camera_probe``: Proof that a camera gives pictures: opens it as a daemon would, takes some frames, and says what
  they are.
- ``check``: One check of ``edge-cli doctor`` and its outcome; exit code of all of them.
- ``devices``: Checks of cameras and accelerators: are they there, may we use them, and does each camera give pictures.
- ``extras``: Checks which optional libraries are installed: what lacks without them, and the command that installs
  them.
- ``live_frames``: Takes some frames of a live source and says in words what it gives: format, size, rate, and whose
  times.
- ``machine``: Checks of the machine itself: can it run this at all, its clock, memory, cores and sensors.
- ``network_streams``: Checks of network streams: which library receives each kind here. None is loaded, and nothing is
  connected to.
- ``runtimes``: Checks of the runtimes, installed or configured: each is made, tested and closed in a child process of
  its own.
- ``sinks``: Checks of the configured brokers and other receivers: connect, one message, its acknowledgement,
  disconnect.
- ``source_child``: Child process of `edge.doctor.sources`: opens one source, reads until there is a frame, and reports
  it.
- ``sources``: Checks of the configured streams: each is opened and read from once, in a child process of its own.
- ``storage``: Checks of the state directory: findings wait there, and must outlive a power cut.
- ``video``: OpenCV's video decoder, tried in a child process with an interlaced clip: does it give pictures, and tell
  if not?
"""
