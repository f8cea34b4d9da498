"""The supervisor (parent process): starts, watches, restarts and stops the frame process and the publisher.

Modules:

- ``child_supervisor``: Supervises one child process: restarts it when it ends, and when its heartbeat stops (watchdog).
- ``reload``: Reload of the configuration: the job as it now is, if a running daemon can go on with it.
- ``supervisor``: The supervisor: starts frame process and publisher, restarts what ended or hangs; signals: stop in
  order, reload.
- ``systemd_notify``: Notifies systemd of readiness and watchdog: the protocol of sd_notify(3), datagrams of
  ``NAME=value`` lines.
- ``viewer``: Viewer of the daemon, as the supervisor sees it: its listening socket, its channel, and its process.
"""
