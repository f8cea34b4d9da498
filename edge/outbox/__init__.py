"""Durable outbox of messages on the device (SQLite): written by the frame process, read by the publisher.

Modules:

- ``batches``: Batches of the outbox writer: what waits in its queue and shares one commit.
- ``checkpoints``: Checkpoints of the outbox' journal, in a thread of their own: they wait for the disk, and nobody
  waits for them.
- ``clock``: Clock of the outbox, for the age of messages: nobody can set it, unlike the wall clock.
- ``deletion``: Expiry and deletion of messages in an outbox: what was delivered, and what is given up unsent and
  announced.
- ``identity``: Identity file (mark) beside an outbox: tells an outbox that was continued from a copy or a backup of it.
- ``missed_health``: Store of ``health`` that a receiver missed while it was away: a file of its own, with a budget of
  its own.
- ``reader``: Outbox reader, in the publisher: pending messages, acknowledgements by sink, resending and expiry.
- ``resend``: Resends of an outbox: jobs stored in it, which whoever has time carries out in short slices, and their
  counting.
- ``rows``: Types that the outbox returns: stored messages, depth, resend marks and results, ranges of numbers.
- ``schema``: Outbox file: SQLite in WAL mode, used by two processes. Layout, opening, creation, migration, and damage.
- ``stored_topics``: Topics of the messages that lie in a device's outboxes: those of an earlier model may be others
  than the present's.
- ``transactions``: Transactions of an outbox, begun with the write lock, which frame process and publisher take from
  each other.
- ``writer``: Outbox writer, in the frame process: numbers messages, syncs them to disk in a thread; full disks are
  tried again.
"""
