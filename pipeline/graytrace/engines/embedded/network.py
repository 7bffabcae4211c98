"""The small network that knows where the head's structures are, run by onnxruntime."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from graytrace.algorithms.structures import Batch, Predict
from graytrace.errors import ToolError
from graytrace.files import file_sha256

WEIGHTS = Path(__file__).resolve().parent / "weights" / "structures.onnx"
_DIGESTS = "SHA256SUMS"


def load_network(weights: Path = WEIGHTS) -> Predict:
    """Load the network as a function of arrays.

    Parameters
    ----------
    weights : Path
        ONNX file. Where SHA256SUMS beside it names it, its bytes must be those.

    Returns
    -------
    callable
        (1, 1, x, y, z) float32 intensities in [0, 1.5] to (1, C, x, y, z) float32 logits.

    Raises
    ------
    ToolError
        The weights are not there, are damaged, or onnxruntime refuses them.
    """
    import onnxruntime  # noqa: PLC0415 - slow to import and not needed by every engine

    if not weights.is_file():
        raise ToolError(f"The network's weights {weights} are not there: install Graytrace again.")
    # onnxruntime takes weights of which a part was lost, and finds almost the same
    expected, digest = read_digest(weights), file_sha256(weights)
    if expected not in {None, digest}:
        raise ToolError(
            f"The network's weights {weights} are damaged (SHA-256 {digest}, expected {expected}): "
            "install Graytrace again."
        )
    options = onnxruntime.SessionOptions()
    # measured: three threads change the last digits (4e-6 of the logits), so all machines take one
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    options.use_deterministic_compute = True
    try:
        session: Any = onnxruntime.InferenceSession(str(weights), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's own exceptions share no base class
        raise ToolError(f"onnxruntime {onnxruntime.__version__} cannot load {weights}: {error}") from error
    name = session.get_inputs()[0].name

    def predict(image: Batch) -> Batch:
        return np.asarray(session.run(None, {name: np.ascontiguousarray(image, dtype=np.float32)})[0])

    return predict


def read_digest(weights: Path) -> str | None:
    """The SHA-256 that SHA256SUMS beside the weights has for them; None where there is no list or it has none."""
    digests = weights.with_name(_DIGESTS)
    lines = digests.read_text(encoding="utf-8").splitlines() if digests.is_file() else []
    return next((line.split()[0] for line in lines if line.split()[1:] == [weights.name]), None)
