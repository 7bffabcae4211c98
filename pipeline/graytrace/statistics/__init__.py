"""The trial's question, on numbers alone: no file, no table, no image."""
