"""Demo: runs the daemon on sample pictures and shows what an MQTT subscriber received.

Modules:

- ``daemon_process``: Daemon process of the demo: the real ``edge-cli run``, started, waited for and stopped.
- ``ground_truth``: Comparison of measured lesion sizes with the phantom's true ones.
- ``message_log``: Log of the received messages for people: one row for each, what came and what it means.
- ``overlays``: Overlays of the demo: drawn from received messages alone, on frames that are read again from the source.
- ``page``: HTML page of the demo, in one file: overlays, messages and outcome of each scenario, light and dark.
- ``run``: Demo run: starts a broker, the real daemon and a subscriber, and writes what the subscriber received.
- ``scenarios``: Scenarios of the demo: which pictures, why, and what must come of them.
- ``subscriber``: MQTT subscriber of the demo: knows nothing of the daemon but its topics, as anybody on the network.
- ``summary``: Summary of the messages received in one scenario of the demo, and what is missing in them.
"""
