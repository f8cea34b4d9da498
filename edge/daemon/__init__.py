"""The three processes of a running device (daemon): supervisor, frame process and publisher.

The frame process has everything that touches pixels, the publisher everything that touches a network; it never imports
numpy or cv2. The supervisor knows by heartbeats that both live, and notifies systemd.

Modules:

- ``frame/``: The frame process: capture, preprocessing, inference, post-processing; writes the outbox.
- ``job``: Job description that the supervisor hands to the frame process and the publisher when it starts them.
- ``publisher/``: The publisher process: sends the outbox to the sinks, publishes `state` and `health`, answers
  requests.
- ``supervisor/``: The supervisor (parent process): starts, watches, restarts and stops the frame process and the
  publisher.
"""
