"""What the whole test suite says at its end."""

from real_programs import absent_line


def pytest_terminal_summary(terminalreporter):
    """Say once which real programs were not there to be tried."""
    line = absent_line()
    if line:
        terminalreporter.write_line(line)
