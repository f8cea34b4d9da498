"""The publisher process: sends the outbox to the sinks, publishes `state` and `health`, answers requests.

process                  main function, signals, exit code
publisher                puts all parts together and runs the loop
sinks                    creates, opens and closes the configured sinks; MQTT last will
outbox_connection        opens the outbox, again after damage or replacement
outbox_housekeeping      deletes what was kept long enough
sink_deliveries          one delivery for each sink (`delivery`), and what comes behind them (`deferred_delivery`)
delivery                 messages of the outbox to one sink: a live and a replay lane
deferred_delivery        set-aside outboxes (`outbox_recovery`) and missed health (`missed_health_delivery`)
shared_sink              several deliveries share one sink
drain                    how long the publisher goes on after a stop request
state_and_health         makes and sends `state` and `health`
machine_health           temperature, throttling and under-voltage, as reasons for `state` and numbers for `health`
process_metrics          memory of our processes and free disk space
requests                 answers requests that come in over MQTT: rate limits, duplicates
request_router           requests of several connections to one handler, responses back
commands                 what each request does
frame_link_reader        packets from the frame process, and commands to it
frame_packets            what is done with each packet of the frame process
"""
