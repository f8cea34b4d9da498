"""Fleet monitoring on the consumer's side: what has arrived from many devices, and what is missing.

``ranges`` and ``ledger`` are pure: messages in, answers out, no I/O. ``fleet_overview`` adds the state and the numbers
of each device, ``device_table`` writes them as text, ``live_table`` draws them on a terminal, ``fleet_watch`` listens
to a broker. ``simulated_device`` and ``simulation`` are the other end: devices that do not exist, whose losses are
known exactly.

Modules:

- ``consumer_connection``: MQTT connection of a consumer: subscribes, receives, publishes, and reconnects by itself when
  it is lost.
- ``content_hashes``: Hashes of the newest messages of a device, by which a repeat is told from another message under
  the same number.
- ``device_ledger``: Account of one device's durable messages: received, missing, repaired, duplicate and expired, by
  epoch.
- ``device_table``: Table of devices as text: its columns, filtering, sorting, and the summary line.
- ``epoch_account``: Account of one epoch of one device: what was made, received, expired and repaired, and which claims
  are believed.
- ``fleet_overview``: Overview of a fleet, one row per device: its state, its numbers, and which messages are missing.
- ``fleet_watch``: Watches a fleet over MQTT: feeds the broker's messages to an overview, and requests what is missing.
- ``ledger``: Delivery ledger of a consumer: shows that every durable message has arrived, or names the missing ranges.
- ``ledger_messages``: The few fields of MQTT messages that the ledger reads, and how they are read.
- ``live_table``: Live table of devices on a terminal. The only module that needs rich (the extra ``fleet``).
- ``ranges``: Set of integers kept as ranges of sequence numbers: a million messages without a gap take one entry.
- ``simulated_device``: Simulated device: the messages that a device would publish, and a record of which were lost,
  repeated or expired.
- ``simulation``: Simulation of a fleet: many simulated devices publish over few MQTT connections, on one clock.
"""
