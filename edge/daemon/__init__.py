"""The processes of a running device: the supervisor, and the children that it starts."""
