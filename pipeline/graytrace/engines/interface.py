"""What the interfaces of all engines have in common, embedded ones and those around tools."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from nipype.interfaces.base import BaseInterface, File, TraitedSpec

from graytrace.errors import ImageError, PipelineError


class MeasuresOutputSpec(TraitedSpec):
    """Outputs of every engine's interface."""

    measures = File(desc="JSON file with the numbers that were found")


class EngineInterface(BaseInterface):
    """Calculates by an algorithm or a tool and writes what it returns; a subclass says how in `_calculate`."""

    def __init__(self, **inputs: Any) -> None:
        super().__init__(**inputs)
        self._files: dict[str, str] = {}

    def _calculate(self, folder: Path) -> dict[str, Any]:
        """Write images into `folder`, name them with `_keep`, return the measures."""
        raise NotImplementedError

    def _keep(self, trait: str, path: Path) -> Path:
        """Remember a file as an output."""
        self._files[trait] = str(path)
        return path

    def _run_interface(self, runtime: Any) -> Any:
        folder = Path(runtime.cwd)
        try:
            measures = self._calculate(folder)
        except PipelineError:
            raise
        except ValueError as error:  # the algorithms' word for an image that has no answer
            raise ImageError("not_measurable", f"{type(self).__name__}: {error}") from error
        path = self._keep("measures", folder / "measures.json")
        path.write_text(json.dumps(measures, allow_nan=False), encoding="utf-8")
        return runtime

    def _list_outputs(self) -> dict[str, str]:
        return dict(self._files)
