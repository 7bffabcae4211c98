"""What the Snakefile asks of Python: opening a study, containers, freshness of results, the lock, progress."""
