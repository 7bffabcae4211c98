"""Graytrace: gray-matter loss between two MRI visits, for every patient of a trial."""

__version__ = "0.1.0"
