"""Hardware of this machine, read from the kernel's files: board, sensors, cameras, accelerators, file systems.

Every function takes the root of the file tree, so that tests can show it a machine that is not this one. No numpy here:
the publisher and the command line import it.

Modules:

- ``cameras_and_accelerators``: Finds cameras, frame grabbers, Edge TPUs and GPUs, and whether this process may open
  them. Nothing is opened for it.
- ``machine``: Board, architecture and system versions of this machine, and whether sonoedge can run on it at all.
- ``sensors``: Reads temperature, clock, throttling and power from the kernel's files. What has no sensor is None, never
  zero.
- ``storage``: Type of the file system that a folder lies on, and whether files that are written to it can be synced to
  the disk.
"""
