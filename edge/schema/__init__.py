"""Schema generator: JSON Schemas and the AsyncAPI document, made from the message types.

Modules:

- ``asyncapi``: AsyncAPI 3.0 document of the MQTT contract: channels, operations, messages.
- ``examples``: Example messages: one true-to-life example of every message type, for the schemas and for tests.
- ``json_schema``: JSON Schema generator (2020-12): schemas of all messages and files, from the msgspec types and their
  docstrings.
- ``manifest_examples``: Example manifests: one of each kind of model, of made-up models whose figures mean nothing.
"""
