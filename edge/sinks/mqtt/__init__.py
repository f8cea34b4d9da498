"""MQTT sink: broker connection, reconnect back-off, in-flight window, refused topics, last will, credentials."""
