"""Tools of the project's own upkeep: the code map and the structure rules. Nothing here reaches a user.

Modules:

- ``code_map``: Writes docs/map.md and the module lists in package docstrings, both from the first lines of docstrings.
- ``labels_on_a_broker``: Demo of labels and areas on a device: runs broker and daemon on pictures, and prints what a
  subscriber gets.
- ``licences``: Lists the licences of the installed packages: copyleft first, and beside each what its licence files
  name.
- ``pythons``: Lists the Python interpreters that the project can be tested with: on PATH or of pyenv, one a version,
  with venv.
- ``source_tree``: Reads the Python files of the project as syntax trees, for the code map and the structure rules.
- ``structure_rules``: Checks what ruff does not: sizes of files and functions, first lines of docstrings, repeated
  classes, long sleeps.
"""
