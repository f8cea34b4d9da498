"""Looks at data before it is learnt from, and at models after: `training check`, `look` and `eval`."""
