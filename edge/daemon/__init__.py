"""The three processes of a running device (daemon): supervisor, frame process and publisher.

job          job description: settings and identity, which the supervisor hands to its children
supervisor   starts, watches (heartbeat, watchdog), restarts and stops the two others; notifies systemd
frame        sources to outbox: everything that touches pixels
publisher    outbox to receivers (MQTT): everything that touches a network; it never imports numpy or cv2
"""
