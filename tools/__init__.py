"""Tools of the project's own upkeep: the code map and the structure rules. Nothing here reaches a user."""
