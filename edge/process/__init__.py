"""Child processes: start, hand-over, lifeline to the parent, heartbeat, CPU affinity, stderr and memory.

Modules:

- ``child``: Starts child processes that end with their parent: frame process, publisher and isolated runtimes.
- ``cores``: CPU affinity: which processor cores each process of the daemon runs on.
- ``git_revision``: Git revision of a checkout, for the records of trained models and of the bundles that are made of
  them.
- ``heartbeat``: Heartbeat from child to parent, for the watchdog: a kernel counter (eventfd) that one adds to, the
  other empties.
- ``install``: Command that installs an extra of this package into the Python that runs: for hints of errors.
- ``log_limit``: Rate limit of log lines: one a second at most for each cause, which then says how many were left out.
- ``malloc``: Limits how much freed memory glibc's malloc keeps. Elsewhere (musl) nothing is done.
- ``native_path``: Paths for native libraries, which take UTF-8 only: OpenCV crashes (SIGSEGV) on a name of other bytes.
- ``reaper``: Reaper: collects killed child processes in a thread of its own, so that nobody waits for one that cannot
  be killed.
- ``regular_file``: Opens regular files: never waits for a writer, as the opening of a named pipe would.
- ``resource_limits``: Resource limits of a child process that decodes: memory, core dumps, and what its native
  libraries may print.
- ``rwlock``: Readers-writer lock (shared and exclusive); writers have priority.
- ``sealed_file``: Sealed file: the bytes of a file, read once, in memory that nobody can change any more (Linux memfd
  with seals).
- ``shared_notes``: Notes in shared memory (memfd) that outlive the process that writes them, for its successor in the
  same run.
- ``start_gate``: Start gate: children of one start check what they need, and wait until their parent lets all of them
  begin.
- ``stderr_capture``: Captures what native libraries print to stderr (file descriptor 2): kept out of the user's
  terminal, and read.
- ``text_streams``: Standard streams of a program: there, and able to take any text, whatever encoding the terminal or
  the pipe has.
- ``usage``: Process tree, memory (PSS, peak) and uptime of processes, from /proc.
- ``wakeup``: Wakes a thread that waits in a selector, from any other thread or from a signal handler.
"""
