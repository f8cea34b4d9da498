"""Fleet monitoring on the consumer's side: what has arrived from many devices, and what is missing.

``ranges`` and ``ledger`` are pure: messages in, answers out, no I/O. ``fleet_overview`` adds the state and the numbers
of each device; ``device_table`` writes them as text, ``table_layout`` fits them into a terminal, ``table_view`` is what
keys change, ``live_table`` and ``terminal_session`` draw it. ``fleet_watch`` listens to a broker.
``simulated_device`` and ``simulation`` are the other end: devices that do not exist, whose losses are known exactly.

Modules:

- ``cell_text``: Text of table cells: what may be shown of it, how many columns it takes, padding, shortening, packing.
- ``consumer_connection``: MQTT connection of a consumer: subscribes, receives, publishes, and reconnects by itself when
  it is lost.
- ``content_hashes``: Hashes of the newest messages of a device, by which a repeat is told from another message under
  the same number.
- ``device_detail``: Everything known of one device, as lines of text: what the table has no place for.
- ``device_ledger``: Account of one device's durable messages: received, missing, repaired, duplicate and expired, by
  epoch.
- ``device_table``: Table of devices as text: its columns, filtering, sorting, and the summary line.
- ``disputed_count``: Number that a device only ever raises: whether fresh claims fall below an earlier one again and
  again.
- ``durable_subscriptions``: Subscriptions to further kinds of durable messages, which devices name in ``state``.
- ``epoch_account``: Account of one epoch of one device: what was made, received, expired and repaired, and which claims
  are believed.
- ``expired_claims``: Expired ranges of one epoch, by a device's claims: what is believed, and what is contested and
  counts as missing.
- ``fleet_overview``: Overview of a fleet, one row per device: its state, its numbers, and which messages are missing.
- ``fleet_watch``: Watches a fleet over MQTT: feeds the broker's messages to an overview, and requests what is missing.
- ``forget``: Forgets devices: finds what a broker retains of them, and deletes it.
- ``key_parser``: Keys out of the bytes that a terminal sends: letters, and the escape sequences of arrows and page
  keys.
- ``last_messages``: The last message of each kind that a device sent, as far as the fleet overview shows it.
- ``ledger``: Delivery ledger of a consumer: shows that every durable message has arrived, or names the missing ranges.
- ``ledger_messages``: The few fields of MQTT messages that the ledger reads, and how they are read.
- ``live_table``: Live table of devices on a terminal. The only module that needs rich (the extra ``fleet``).
- ``ranges``: Set of integers kept as ranges of sequence numbers: a million messages without a gap take one entry.
- ``received_queue``: Queue of received MQTT messages with a limit: what is over it is dropped, and counted.
- ``resend_requests``: Requests for missing messages: at most one at a time to each device, with as many ranges as it
  takes.
- ``row_rank``: Ranks of devices by how much they need somebody, and whether a list of them is one of healthy devices.
- ``signs_of_life``: Signs of life of one device: when it was last heard, and after how long a silence it counts as
  silent.
- ``simulated_device``: Simulated device: the messages that a device would publish, and a record of which were lost,
  repeated or expired.
- ``simulation``: Simulation of a fleet: many simulated devices publish over few MQTT connections, on one clock.
- ``state_fetch``: Fetches the retained ``state`` of every device, and tells whether all have arrived.
- ``table_layout``: Layout of the device table for a terminal's width: which columns are shown, how wide, and how names
  are folded.
- ``table_view``: View of the live table: what the keys change (filter, order, selection, detail), and the lines of the
  screen.
- ``terminal_session``: Terminal in character mode and on its alternate screen: keys, size, signals; all is put back at
  every end.
"""
