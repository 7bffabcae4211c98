"""The embedded engine: nipype interfaces over this package's own algorithms. No licence, no other program."""
