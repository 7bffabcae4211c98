"""Engines: the tools that do a stage, each with the same inputs and outputs, behind one runner."""
