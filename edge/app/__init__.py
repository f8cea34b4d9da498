"""Composition root: puts settings, sources, runtime, sinks and processes together. Nothing below knows of it.

Modules:

- ``auto_runtime``: Runtime ``auto://``: chooses the fastest runtime of this machine by a short trial of those that
  compute rightly.
- ``auto_runtime_cache``: Result of an ``auto://`` trial of runtimes, and the file in the state directory that keeps it.
- ``compose``: Makes model, runtime, guard and analyser from the settings; a runtime is tested before it is trusted.
- ``envelope``: Envelope of every message: device, boot, run, time, and whether the clock is synchronised.
- ``frame_link``: Link from the frame process to the publisher: durable messages through the outbox, all else through a
  socket.
- ``logs``: Logs to stderr, as text for people or as one JSON object a line; passwords in URIs are masked in both.
- ``state_dir``: State directory of a daemon, for what must outlive it, and the lock file that makes it one daemon's.
- ``view_credentials``: Credentials of the page: a random token, and a self-signed certificate with its key, in files of
  mode 0600.
"""
