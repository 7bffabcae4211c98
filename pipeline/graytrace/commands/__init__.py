"""Sub-commands that are no rule of the workflow."""
