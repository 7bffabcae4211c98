"""Seeded phantoms of a head at two visits, with the true gray-matter change written beside them.

They are the test input of everything that measures, so they share no code with it.
"""

from pipeline.phantoms.cohort import PhantomPatient, draw_patients, render_pair, write_cohort
from pipeline.phantoms.command import add_arguments, run

__all__ = ["PhantomPatient", "add_arguments", "draw_patients", "render_pair", "run", "write_cohort"]
