"""Child processes: how one is started, what it is handed, and how it learns that its parent is gone."""
