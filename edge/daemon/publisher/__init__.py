"""The publisher process: sends the outbox to the sinks, publishes `state` and `health`, answers requests.

`publisher` puts all parts together: begin there. `sink_deliveries` has one `delivery` for each sink, and behind them
`deferred_delivery`: set-aside outboxes (`outbox_recovery`) and missed health (`missed_health_delivery`).
`machine_health` gives temperature, throttling and under-voltage as reasons for `state` and as numbers for `health`.
Requests are limited in rate, and a duplicate is answered once (`requests`); what each does is in `commands`.

Modules:

- ``acknowledgements``: Acknowledgements of one sink that the outbox does not have yet: committed together, and kept
  while the disk is full.
- ``commands``: Commands of requests over MQTT: each method takes (asking sink, args) and returns the response's
  ``result``.
- ``deferred_delivery``: Delivery that comes behind the findings: outboxes that were set aside, and ``health`` that was
  missed.
- ``delivery``: Delivery of the outbox' messages to one sink, in two lanes: live and replay.
- ``drain``: Drain before the publisher ends: how long it goes on after a stop request, and what is left undelivered
  then.
- ``feedback_mark``: Mark in the state directory that feedback may be in its outbox, for runs that have no page any
  more.
- ``frame_link_reader``: The publisher's end of the frame link: reads packets of the frame process and sends it frame
  commands.
- ``frame_packets``: Handles the packets of the frame process: reports, results of frame commands, and unstored
  messages.
- ``machine_health``: Health of the machine: reads temperature, clock and voltage sensors; says when they are a reason
  to be degraded.
- ``missed_health_delivery``: Delivery of ``health`` that a sink missed while it was away, once it has all findings.
- ``outbox_connection``: Connection of the publisher to the outbox in use: opens it, and opens it anew after a failure
  or a replacement.
- ``outbox_housekeeping``: Outbox housekeeping timer: has `OutboxReader.expire` delete what is too old or too much,
  every few seconds.
- ``outbox_recovery``: Recovery of outboxes that were set aside (damaged, copied, quarantined): sends what was not sent
  yet, as it is.
- ``process``: The publisher process: main function, signals and exit code; publishes the outbox to the sinks (MQTT and
  others).
- ``process_metrics``: Memory of our processes and free disk space, from the kernel, for `health`. None where it does
  not say.
- ``publisher``: The publisher's main loop: puts its parts together, and runs them in turns in one thread until it is
  stopped.
- ``request_errors``: Explains what is wrong with a request: the error word of the response, and a sentence for people.
- ``request_router``: Routes requests from all connections to one handler, and each response back to where it was asked
  for.
- ``requests``: Request handler: answers ``request/{command}`` with ``response/{command}``, each once; retained ones are
  ignored.
- ``resends``: Requests ``findings/resend``, carried out in slices between the turns of the publisher's loop.
- ``shared_sink``: Lets several deliveries share one sink: each has message numbers and acknowledgements of its own.
- ``sink_deliveries``: Deliveries to all sinks: first the outbox in use, then set-aside outboxes and ``health`` that was
  missed.
- ``sinks``: Creates, opens and closes the configured sinks of the publisher; makes the MQTT last will that they are
  given.
- ``state_and_health``: Makes `state` and `health`, decides when they are due, and sends them to the sinks.
"""
