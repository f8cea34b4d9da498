"""The three processes of a running device (daemon): supervisor, frame process and publisher.

job          job description: settings and identity, which the supervisor hands to its children
supervisor   starts, watches (heartbeat, watchdog), restarts and stops the two others; notifies systemd
frame        sources to outbox: everything that touches pixels
publisher    outbox to receivers (MQTT): everything that touches a network; it never imports numpy or cv2

Modules:

- ``frame/``: The frame process: capture, preprocessing, inference, post-processing; writes the outbox.
- ``job``: Job description that the supervisor hands to the frame process and the publisher when it starts them.
- ``publisher/``: The publisher process: sends the outbox to the sinks, publishes `state` and `health`, answers
  requests.
- ``supervisor/``: The supervisor (parent process): starts, watches, restarts and stops the frame process and the
  publisher.
"""
