"""Child processes: start, hand-over, lifeline to the parent, heartbeat, CPU affinity, stderr and memory."""
