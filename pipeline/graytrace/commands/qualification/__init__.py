"""The parts of ``graytrace qualify``: installation, operation, performance."""
