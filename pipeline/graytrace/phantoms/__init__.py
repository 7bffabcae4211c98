"""Seeded phantoms of a head at two visits, with the true gray-matter change written beside them.

They are the test input of everything that measures, so they share no code with it.
"""
