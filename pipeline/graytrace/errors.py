"""What can go wrong, in classes that say whose move it is: the study's author, the data's owner or the machine's."""

from __future__ import annotations


class PipelineError(Exception):
    """Base of every error that Graytrace raises on purpose; its text is for users and needs no traceback."""


class ConfigError(PipelineError, ValueError):
    """The configuration cannot be used as it stands."""


class ScanTableError(PipelineError, ValueError):
    """A table of the study (participants, sessions, scans) cannot be read or contradicts itself."""


class ImageError(PipelineError, ValueError):
    """A scan cannot be measured: a fault of the data, which becomes a row's reason and stops nobody else.

    Parameters
    ----------
    code : str
        One word for tables, for example ``truncated``.
    message : str
        What is wrong, where, and what to do.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class ToolError(PipelineError, RuntimeError):
    """A tool did not do its work.

    Parameters
    ----------
    message : str
        What was called, what came back, the tool's last lines.
    code : str
        One word for tables.
    about_data : bool
        True when the tool ran well and the scan is at fault (then the row gets a reason), False when the
        machinery broke (then the job fails and is tried again).
    """

    def __init__(self, message: str, *, code: str = "tool_failed", about_data: bool = False) -> None:
        super().__init__(message)
        self.code = code
        self.about_data = about_data
