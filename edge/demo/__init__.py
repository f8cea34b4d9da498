"""Demo: runs the daemon on sample pictures and shows what an MQTT subscriber received.

Modules:

- ``daemon_process``: Daemon process of the demo: the real ``edge-cli run``, started, waited for and stopped.
- ``ground_truth``: Comparison of measured lesion sizes with the phantom's true ones.
- ``live_page``: Live page of the demo: a daemon on a phantom with its page, until Ctrl-C.
- ``live_run``: Live demo: a camera that is off, comes, dies, comes back, freezes, comes back; the real daemon tells
  each.
- ``live_server``: Camera of the live demo: ffmpeg sends a phantom as MJPEG over HTTP, and can be switched off, frozen
  and on again.
- ``live_table``: Table of the live demo: a row each second of what a subscriber received, and lines between for what
  happened.
- ``message_log``: Log of the received messages for people: one row for each, what came and what it means.
- ``overlays``: Overlays of the demo: drawn from received messages alone, on frames that are read again from the source.
- ``page``: HTML page of the demo, in one file: overlays, messages and outcome of each scenario, light and dark.
- ``run``: Demo run: starts a broker, the real daemon and a subscriber, and writes what the subscriber received.
- ``scenarios``: Scenarios of the demo: which pictures, why, and what must come of them.
- ``subscriber``: MQTT subscriber of the demo: knows nothing of the daemon but its topics, as anybody on the network.
- ``summary``: Summary of the messages received in one scenario of the demo, and what is missing in them.
"""
