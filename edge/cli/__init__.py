"""Command line ``edge-cli``: one file a command; ``edge/cli/main.py`` says how a command is written."""
