"""NIfTI files: the only place that opens, judges or writes them."""
