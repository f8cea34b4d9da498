"""``edge-cli``: one file a command. How a command is written is told at the top of ``edge/cli/main.py``."""
