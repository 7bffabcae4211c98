"""The embedded engine: nipype interfaces over this package's own algorithms. No license, no other program."""
