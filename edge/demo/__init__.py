"""Demo: runs the daemon on sample pictures and shows what an MQTT subscriber received."""
