"""The publisher process: sends the outbox to the sinks, says state and health, answers requests."""
