"""Pure functions on arrays and affines: no files, no logs, no frameworks."""
