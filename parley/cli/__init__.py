"""The `parley` command: one module a group of commands."""
