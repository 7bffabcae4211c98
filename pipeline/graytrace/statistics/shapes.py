"""The shapes that a dose-response may have, as scores of the doses."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from graytrace.statistics.arrangements import Groups
from graytrace.statistics.association import Values

SHAPES = ("linear", "log_linear", "emax", "step")
_SMALLEST_TOP_GROUP = 2  # patients on the highest dose: one patient is no step


def score_shapes(
    doses: Values, sizes: Groups, *, shapes: Sequence[str] = SHAPES, half_dose: float | None = None
) -> tuple[dict[str, Values], dict[str, str]]:
    """The expected outcome at each dose for each shape, up to origin and unit.

    Parameters
    ----------
    doses : (G,) array-like
        Different doses, rising.
    sizes : (G,) array-like of int
        Patients on each.
    shapes : sequence of str
        Of `SHAPES`.
    half_dose : float, optional
        Dose of half of the largest effect in the Emax shape, above 0; the lowest dose above 0 where it is not given.

    Returns
    -------
    scores : dict of (G,) ndarray
        ``linear``: d; ``log_linear``: log d, or log(d + lowest dose above 0) with a dose of 0; ``emax``:
        d / (d + half_dose); ``step``: only the highest dose works.
    left_out : dict of str
        Shapes that these doses do not have, with the reason.
    """
    doses = np.asarray(doses, dtype=float)
    scores: dict[str, Values] = {}
    left_out: dict[str, str] = {}
    lowest = float(doses[doses > 0].min()) if (doses > 0).any() else 0.0
    for name in shapes:
        if name in {"log_linear", "emax"} and doses.min() < 0:
            left_out[name] = "there are values below 0"
        elif name == "step" and sizes[-1] < _SMALLEST_TOP_GROUP:
            left_out[name] = "one patient alone has the highest value"
        elif name == "log_linear":
            scores[name] = np.log(doses + (lowest if doses.min() == 0 else 0.0))
        elif name == "emax":
            scores[name] = doses / (doses + (half_dose or lowest))
        else:
            scores[name] = doses if name == "linear" else (doses == doses.max()).astype(float)
    return scores, left_out
