"""What was found: rows from records, limits of quality, the trial's answer, the derivative, comparisons of runs."""
