"""Processes: how a child is started, what it is handed, how it learns that its parent is gone, and what each takes."""
