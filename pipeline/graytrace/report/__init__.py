"""What people look at: figures from arrays."""
