"""Schema generator: JSON Schemas and the AsyncAPI document, made from the message types."""
