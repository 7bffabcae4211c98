"""The study: who was planned for which visit, when it took place, which file it is, and what became of it."""
