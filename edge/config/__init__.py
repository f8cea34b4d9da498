"""Settings (configuration): one frozen tree, read from defaults, a TOML file, environment and flags, in this order.

Modules:

- ``config_template``: Configuration file template (``config init``): every setting with its meaning and default, all
  commented out.
- ``consistency``: Consistency checks of settings: valid types that contradict each other, or do not work on this
  machine.
- ``descriptions``: Describes types, values and paths of settings in plain English, for messages to people.
- ``effective_settings``: Effective settings for display (``config show``): as TOML or plain values, with origins, and
  secrets masked.
- ``field_docs``: Docstrings of class fields, read from the source, since Python does not keep them at run time.
- ``file_kinds``: Which source reads a file: by its first bytes, then by the suffix of its name. Nothing heavy is
  imported for it.
- ``load``: Loads the settings: defaults < TOML file < ``EDGE_A__B`` environment variables < flags.
- ``password_mask``: Masks the passwords and secrets of URIs in texts, for logs and messages.
- ``section``: Base class of all sections of the settings, and the types of their numbers.
- ``setting_layers``: Tree of settings put together layer by layer, in the order of `edge.config.load`; keeps the origin
  of each value.
- ``settings``: Settings of a daemon (its configuration). Every field says its unit and what None means; unknown keys
  are refused.
- ``toml_lines``: Line numbers of the keys in a TOML file, since Python's TOML parser does not tell them.
- ``toml_text``: Formats plain values and keys as TOML text.
- ``tracking_settings``: Settings of tracking: when a lesion, or a label of a classifier, is new, changed or gone.
- ``uri``: Parses the URIs of sources, runtimes and sinks: ``scheme://host:port/path?key=value``.
- ``uri_suggestions``: Suggests the URI that was meant, for what is no URI of an installed source, runtime or sink.
- ``validate``: Validates a tree of plain values against the settings: finds every wrong key, type and value, not only
  the first.
- ``view_settings``: Settings of the view: the page that shows the person at the device what is found, while it happens.
"""
