"""The study: who was planned for which visit, when it took place, and which file it is."""
