"""Settings (configuration): one frozen tree, read from defaults, a TOML file, environment and flags, in this order."""
