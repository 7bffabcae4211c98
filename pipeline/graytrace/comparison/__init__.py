"""Several engines on the same patients, side by side."""
