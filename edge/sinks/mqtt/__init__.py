"""MQTT sink: broker connection, reconnect back-off, in-flight window, refused topics, last will, credentials.

Modules:

- ``backoff``: MQTT reconnect back-off: exponential, with jitter, longer after a refusal than after a lost connection.
- ``bounded_client``: paho client that holds no more than the beginning of a packet that is too large, whoever sends it.
- ``check``: Checks whether a broker lets us connect and publish, for the command line.
- ``connection``: One MQTT connection to a broker, from connecting to its end. The next one is a new object with nothing
  left over.
- ``connection_end``: Ways in which a connection to a broker ends, in the words of ``state.reasons``.
- ``credentials``: Broker address and credentials: user name, password, TLS certificates. Nothing secret of them is ever
  logged.
- ``inflight``: In-flight window: limits unacknowledged MQTT messages and keeps the window full, from either of two
  threads.
- ``protocol_version``: Chooses the MQTT version (5 or 3.1.1) and client identifier that a broker accepts. Pure: no I/O.
- ``reconnect``: Reconnect thread of an MQTT sink: one `BrokerConnection` after another, with version fallback and
  back-off.
- ``refused_topics``: Topics that an MQTT broker refuses: each is paused with back-off, and its messages held until it
  is tried again.
- ``sink``: MQTT sink: publishes stored messages to one broker, with last will, in-flight window and refused topics.
- ``state_watch``: Watch over our own ``state`` topic: tells whether another device uses our identity. Pure: no I/O.
"""
