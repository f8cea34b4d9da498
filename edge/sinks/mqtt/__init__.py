"""The MQTT sink: connection, reconnect, in-flight window, refused topics, credentials."""
