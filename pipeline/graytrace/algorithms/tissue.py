"""Gray matter, white matter and CSF as fractions of each voxel.

A mixture model with partial volume (Tohka et al., https://doi.org/10.1016/j.neuroimage.2004.05.007): pure tissues are
Gaussian, a voxel between two tissues has any mixture of them with equal probability.  Where a tissue can be is said by
the structure network, what neighbors say enters as a Markov random field on the fractions, solved by mean field.
Thalamus and pallidum are nearly as bright as white matter, so deep gray matter has a class, a mean and a spread of
its own and counts as gray; the rim of a ventricle is a mixture of CSF and white matter and not a layer of gray.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage, special

from graytrace.algorithms.grids import voxel_sizes_mm
from graytrace.algorithms.mean_field import ClassTable, Settled, neighbors_of, settle_fractions
from graytrace.algorithms.smoothing import gaussian, smooth_widely
from graytrace.algorithms.structures import STRUCTURES
from graytrace.arrays import Affine, Fractions, Image, Mask, Matrix, Probabilities, Vector

_PURE = ("cortex", "cerebellar_cortex", "deep_gray", "white_matter", "csf")
_MIXED = (
    ("cortex", "white_matter"),
    ("cortex", "csf"),
    ("cerebellar_cortex", "white_matter"),
    ("cerebellar_cortex", "csf"),
    ("deep_gray", "csf"),
    ("white_matter", "csf"),
)
_RIM_CLASS = len(_PURE) + _MIXED.index(("white_matter", "csf"))
_TISSUE_OF = {"cortex": 0, "cerebellar_cortex": 0, "deep_gray": 0, "white_matter": 1, "csf": 2}
_GRAY, _WHITE = range(2)
# "by hand" here: set while the method was written, on simulated heads, with no comparison of values on record
_EM_ITERATIONS = 6  # by hand
_FIELD_ITERATIONS = (1, 3)  # by hand: after which the field is estimated, once means are near and once more
_FIELD_MM = 14.0  # by hand: what N4 leaves is finer than a coil's shading and coarser than a gyrus
_FIELD_FLOOR = 0.02  # by hand, of weight: far from white matter and cortex there is no correction
_PRIOR_FLOOR = 2e-3  # by hand: the network may be wrong, so nothing is impossible
_NEIGHBOR_WEIGHT = 4.0  # by hand: of the squared difference of fractions in the Markov random field
_MIXTURE_WEIGHT = 2.0  # by hand: mixtures are commoner than a product of probabilities says; then found in the scan
_SHARE_STEP = 2.0  # by hand: most that a share may change in a round, so that early means mislead it little
_THIN = ("cortex", "cerebellar_cortex")  # most voxels of a sheet hold some of its neighbors
_PEAK_REACH, _PEAK_BINS = 2.0, 80  # by hand: standard deviations on either side, in steps of a twentieth
_EDGE_MM, _EDGE_GAIN = 1.0, 4.0  # by hand: one as far as 0.7 mm outside the mask, below a tenth from 2 mm on
_WHITE_PERCENTILE = 90  # by hand: white matter, about, of what lies in the skull; the start needs no more
_TABLE_SIZE = 4096  # steps of a thousandth of white matter or less, where nothing is four times as bright
_LAST_SWEEPS = 4  # by hand: of mean field, once the means are known
_DEEP_REACH = 0.75  # by hand: of the way from cortex to white matter, where the pallidum lies
_VENTRICLE_MM = 1.5  # by hand: a rim of a voxel or two
_VENTRICLE_GAIN = 6.0  # by hand: a straight border between the two has a product of 0.25, more than enough for 1
_RIM_MM = 1.0  # by hand: closer to each other than the two sides of any cortex
_RIM_VOXEL_MM = 1.5  # of larger voxels the cortex is one thin, too
_RIM_PRODUCT = (0.05, 0.08)  # a cortex of 2 mm reaches 0.03, of 1.5 mm 0.05, a bare border 0.1
_RIM_GRAY = (0.4, 0.8)  # by hand; network's probability of gray matter: thin cortex that it is sure of stays
_MIN_VOXELS = 500  # by hand: of a class, to estimate its mean from; half a ml at 1 mm
# usual signals over white matter, by hand: a T1w scan of a class that has too few voxels to be asked
_USUAL_MEANS = {"cortex": 0.68, "cerebellar_cortex": 0.66, "deep_gray": 0.78, "white_matter": 1.0, "csf": 0.25}
_SURE, _SUREST, _SURE_SHARE = 0.6, 90, 0.8  # by hand: prior of a voxel that a first mean is taken from; percentile
_USUAL_SPREAD, _DEEP_SPREAD = 0.06, 1.6  # by hand: of white matter; deep gray has several nuclei
_SPREADS = (0.015, 0.2)  # by hand, of white matter: a scan without noise has no spread, one with more is no T1w scan
_BRIGHTER_DENSITY = 1e-3  # by hand: of what is brighter than white matter, far below any pure class in its range
_LEAST_WIDTH = 1e-3  # of intensity: two classes of one mean are no division by zero


@dataclass(frozen=True)
class TissueFractions:
    """What each voxel holds, and what the pure tissues look like.

    Parameters
    ----------
    gm, wm, csf : (X, Y, Z) float32 in [0, 1]
        Fractions that sum to one in the intracranial mask and are zero outside.
    subcortical_gm : (X, Y, Z) float32 in [0, 1]
        The part of `gm` that lies in deep nuclei.
    means : dict
        Name of a pure tissue to its intensity, of white matter.
    noise_sd : float
        Spread within white matter, of its intensity.
    """

    gm: Fractions
    wm: Fractions
    csf: Fractions
    subcortical_gm: Fractions
    means: dict[str, float]
    noise_sd: float


@dataclass
class _Model:
    """Means and spreads of the pure classes, and how much commoner each class is than its prior says."""

    means: dict[str, float]
    spreads: dict[str, float]
    shares: Vector


def _priors(
    structures: Probabilities, voxel_mm: Vector, box: tuple[slice, ...], inside: Mask, brain: Mask
) -> dict[str, Vector]:
    """Prior probability (N,) of each pure class in the voxels of `inside`.

    Beside them `reach`, one in and at the brain mask and zero further out.
    """
    index = {name: number for number, name in enumerate(STRUCTURES)}
    sources = {
        "cortex": ("cortex",),
        "cerebellar_cortex": ("cerebellar_cortex",),
        "deep_gray": ("deep_gray",),
        "white_matter": ("white_matter", "brainstem"),
        "csf": ("ventricles", "outer_csf", "outside"),
    }
    near_brain = gaussian(brain, _EDGE_MM / voxel_mm)[inside]
    reach = np.clip(near_brain * _EDGE_GAIN, 0, 1)
    priors = {}
    for name, members in sources.items():
        total = sum(structures[index[m]][box][inside].astype(np.float32) for m in members)
        # outside the brain mask there is fluid: a smooth edge, so that the mask's own error does not cut the cortex
        priors[name] = np.asarray(total if name == "csf" else total * reach) + _PRIOR_FLOOR
    scale = sum(priors.values())
    return {name: p / scale for name, p in priors.items()} | {"reach": reach}


def _ventricle_rim(structures: Probabilities, voxel_mm: Vector, box: tuple[slice, ...], inside: Mask) -> Vector:
    """How surely a voxel (N,) lies where the network sees white matter meet a ventricle, in [0, 1].

    A mixture of the two is as bright as gray matter, and the network takes it for some.  Beside caudate and thalamus
    there is no white matter and so no rim.
    """
    sigma = _VENTRICLE_MM / voxel_mm
    fluid, white = (
        gaussian(structures[STRUCTURES.index(name)][box], sigma)[inside] for name in ("ventricles", "white_matter")
    )
    return np.asarray(np.clip(_VENTRICLE_GAIN * fluid * white, 0, 1))


def _bare_white(settled: Settled, priors: dict[str, Vector], inside: Mask, voxel_mm: Vector) -> Vector:
    """How surely a voxel (N,) lies where white matter meets fluid with no gray matter between them, in [0, 1].

    As at ventricles, so around cavities and on the brainstem, which the network does not tell apart.  The mixture is
    thin: within a voxel or two of each other there are both fluid and white matter, which
    the thickness of the cortex keeps apart.
    """
    sigma = _RIM_MM / voxel_mm
    product = np.ones(priors["csf"].shape, np.float32)
    for values in (np.clip(1 - settled.gray - settled.white, 0, 1), settled.white):
        volume = np.zeros(inside.shape, np.float32)
        volume[inside] = values
        product *= gaussian(volume, sigma)[inside]
    gray = priors["cortex"] + priors["cerebellar_cortex"] + priors["deep_gray"]
    return np.asarray(_ramp(product, *_RIM_PRODUCT) * (1 - _ramp(gray, *_RIM_GRAY)))


def _ramp(values: Vector, low: float, high: float) -> Vector:
    """0 below `low`, 1 above `high`, linear between."""
    return np.asarray(np.clip((values - low) / (high - low), 0, 1), dtype=np.float32)


def _weighted_median(values: Vector, weights: Vector) -> float:
    order = np.argsort(values)
    running = np.cumsum(weights[order])
    return float(values[order][np.searchsorted(running, running[-1] / 2)])


def _start(intensity: Vector, priors: dict[str, Vector]) -> _Model:
    """First means from where the prior is surest; a class with too few voxels takes a usual ratio to white matter."""
    means = {}
    white = 1.0
    for name in ("white_matter", *(n for n in _PURE if n != "white_matter")):
        sure = priors[name] > max(_SURE, float(np.percentile(priors[name], _SUREST)) * _SURE_SHARE)
        enough = np.count_nonzero(sure) >= _MIN_VOXELS
        usual = _USUAL_MEANS[name] * white
        means[name] = _weighted_median(intensity[sure], priors[name][sure] ** 4) if enough else usual
        white = means["white_matter"]
    spread = _USUAL_SPREAD * white
    shares = np.array([1.0] * len(_PURE) + [_MIXTURE_WEIGHT] * len(_MIXED), np.float32)
    return _Model(means, {name: spread * (_DEEP_SPREAD if name == "deep_gray" else 1.0) for name in _PURE}, shares)


def _gaussian(x: Vector | float, mean: float, spread: float) -> Vector:
    return np.asarray(np.exp(-0.5 * ((x - mean) / spread) ** 2) / (spread * np.sqrt(2 * np.pi)), dtype=np.float32)


def _mixture_density(x: Vector, a: float, b: float, spread: float) -> Vector:
    """Density of a uniform mixture of means a and b with Gaussian noise."""
    low, high = min(a, b), max(a, b)
    width = max(high - low, _LEAST_WIDTH)
    return np.asarray((special.ndtr((x - low) / spread) - special.ndtr((x - high) / spread)) / width, dtype=np.float32)


def _class_priors(priors: dict[str, Vector], bare: Vector | float = 0.0) -> Matrix:
    """Prior probability (N, K) of each class, pure and mixed, not normalized; `bare` is that of `_bare_white`."""
    priors = priors | {name: priors[name] * (1 - bare) for name in ("cortex", "deep_gray")}
    chances = np.empty((priors["csf"].size, len(_PURE) + len(_MIXED)), np.float32)
    for number, name in enumerate(_PURE):
        chances[:, number] = priors[name]
    for number, (a, b) in enumerate(_MIXED, start=len(_PURE)):
        chances[:, number] = priors[a] * priors[b]
    chances[:, _RIM_CLASS] += bare
    return chances


def _class_table(model: _Model, top: float) -> ClassTable:
    """Likelihood of each class, and the tissue fractions that it stands for, at intensities from 0 to `top`."""
    count = len(_PURE) + len(_MIXED)
    x = np.linspace(0, top, _TABLE_SIZE)
    density = np.empty((count, x.size), np.float32)
    fractions = np.zeros((3, count, x.size), np.float32)
    means, spreads = model.means, model.spreads
    for number, name in enumerate(_PURE):
        density[number] = _gaussian(x, means[name], spreads[name])
        fractions[_TISSUE_OF[name], number] = 1
    # deep gray: from the caudate, like cortex, to the pallidum, nearly white
    bright = means["cortex"] + _DEEP_REACH * (means["white_matter"] - means["cortex"])
    density[_PURE.index("deep_gray")] = _mixture_density(x, means["cortex"], bright, spreads["cortex"])
    # nothing is darker than fluid but flow voids and vessels' walls: count them as fluid
    fluid = _gaussian(means["csf"], means["csf"], spreads["csf"])
    density[_PURE.index("csf")] = np.where(x < means["csf"], fluid, density[_PURE.index("csf")])
    # brighter than white: vessels and what bias correction left; white all the same
    bright_white = np.where(x > means["white_matter"], _BRIGHTER_DENSITY, 0)
    density[_PURE.index("white_matter")] = np.maximum(density[_PURE.index("white_matter")], bright_white)
    for number, (a, b) in enumerate(_MIXED, start=len(_PURE)):
        density[number] = _mixture_density(x, means[a], means[b], min(spreads[a], spreads[b]))
        share = np.clip((x - means[b]) / (means[a] - means[b] + 1e-6), 0, 1)
        fractions[_TISSUE_OF[a], number] += share
        fractions[_TISSUE_OF[b], number] += 1 - share
    return ClassTable(density, fractions[_GRAY], fractions[_WHITE], 0.0, top / (_TABLE_SIZE - 1))


def _peak(x: Vector, weight: Vector, mean: float, spread: float) -> float:
    """The most frequent intensity: unlike the mean it is not drawn towards the neighbor that reaches further."""
    low, width = mean - _PEAK_REACH * spread, 2 * _PEAK_REACH * spread / _PEAK_BINS
    place = np.clip((x - low) / width + 1, 0, _PEAK_BINS + 1).astype(np.intp)  # the first and last are all beyond
    found = np.bincount(place, weights=weight, minlength=_PEAK_BINS + 2)[1:-1]
    counts = ndimage.gaussian_filter1d(found, _PEAK_BINS / (4 * _PEAK_REACH))
    return float(low + (counts.argmax() + 0.5) * width)


def _update(x: Vector, settled: Settled, model: _Model) -> _Model:
    """New means, spreads and shares; a pure class with too little weight keeps its mean and spread."""
    means, spreads = dict(model.means), dict(model.spreads)
    for number, name in enumerate(_PURE):
        weight = settled.posterior[:, number]
        total = float(weight.sum())
        if total < _MIN_VOXELS:
            continue
        mean = float((weight * x).sum() / total)
        spreads[name] = float(np.sqrt((weight * (x - mean) ** 2).sum() / total))
        means[name] = _peak(x, weight, mean, spreads[name]) if name in _THIN else mean
    white = means["white_matter"]
    for name in _PURE:
        spreads[name] = float(np.clip(spreads[name], _SPREADS[0] * white, _SPREADS[1] * white))
    found = settled.posterior.sum(0, dtype=np.float64) / np.maximum(settled.expected, 1.0)
    return _Model(means, spreads, (model.shares * np.clip(found, 1 / _SHARE_STEP, _SHARE_STEP)).astype(np.float32))


def _residual_field(x: Vector, posterior: Matrix, model: _Model, inside: Mask, voxel_mm: Vector) -> Vector:
    """Smooth multiplicative field (N,) that bias correction has left, from white matter and cortex."""
    weight = np.zeros(inside.shape, np.float32)
    deviation = np.zeros(inside.shape, np.float32)
    parts = [(name, posterior[:, _PURE.index(name)]) for name in ("white_matter", "cortex", "cerebellar_cortex")]
    weight[inside] = sum(p for _, p in parts)
    log_x = np.log(np.maximum(x, 1e-3))  # air has no logarithm
    deviation[inside] = sum(p * (log_x - np.float32(np.log(model.means[name]))) for name, p in parts)
    sigma = _FIELD_MM / voxel_mm
    smooth = smooth_widely(deviation, sigma) / (smooth_widely(weight, sigma) + _FIELD_FLOOR)
    return np.asarray(np.exp(smooth[inside]), dtype=np.float32)


def segment_tissue(
    image: Image,
    voxel_to_ras: Affine,
    brain_mask: Mask,
    intracranial_mask: Mask,
    structures: Probabilities,
) -> TissueFractions:
    """Tissue fractions of a bias-corrected T1w scan.

    Parameters
    ----------
    image : (X, Y, Z) array-like
        Bias-corrected intensities of any unit, lesions filled where they are known.
    voxel_to_ras : (4, 4) array-like
        Voxel indices to RAS mm.
    brain_mask, intracranial_mask : (X, Y, Z) bool array-like
        The scan's brain, and what lies in its skull.
    structures : (C, X, Y, Z) float array-like
        Probabilities in [0, 1] from `structures.label_structures`.

    Returns
    -------
    TissueFractions
        (X, Y, Z) float32 in [0, 1].

    Raises
    ------
    ValueError
        The intracranial mask is too small to hold a brain.
    """
    voxel_mm = voxel_sizes_mm(voxel_to_ras)
    mask = np.asarray(intracranial_mask, bool) | np.asarray(brain_mask, bool)
    if np.count_nonzero(mask) < 5 * _MIN_VOXELS:  # enough for each of the five pure classes
        raise ValueError(f"the intracranial mask has {np.count_nonzero(mask)} voxels, too few for a brain")
    box = tuple(slice(max(int(a.min()) - 2, 0), int(a.max()) + 3) for a in np.nonzero(mask))
    inside = mask[box]
    priors = _priors(structures, voxel_mm, box, inside, np.asarray(brain_mask, bool)[box])
    raw = np.asarray(image, dtype=np.float32)[box][inside]
    raw = raw / max(float(np.percentile(raw, _WHITE_PERCENTILE)), 1e-6)
    model = _start(raw, priors)
    x = raw
    neighbors = neighbors_of(inside)
    chances = _class_priors(priors, _ventricle_rim(structures, voxel_mm, box, inside))
    for iteration in range(_EM_ITERATIONS):
        last = iteration == _EM_ITERATIONS - 1
        table = _class_table(model, float(x.max()))
        sweeps = _LAST_SWEEPS if last else 1
        settled = settle_fractions(
            x, chances * model.shares, table, neighbors, voxel_mm, pull=_NEIGHBOR_WEIGHT, sweeps=sweeps
        )
        if last:
            break
        model = _update(x, settled, model)
        if iteration in _FIELD_ITERATIONS:
            x = x / _residual_field(x, settled.posterior, model, inside, voxel_mm)
            if voxel_mm.max() <= _RIM_VOXEL_MM:
                chances = _class_priors(priors, _bare_white(settled, priors, inside, voxel_mm))
    # dura and sinuses between brain and skull are as bright as mixtures of gray matter and fluid
    gray, white = (np.clip(f * priors["reach"], 0, 1) for f in (settled.gray, settled.white))
    volumes = np.zeros((4, *np.shape(image)), np.float32)
    for volume, values in zip(volumes, (gray, white, np.clip(1 - gray - white, 0, 1)), strict=False):
        volume[box][inside] = values
    cortical = priors["cortex"] + priors["cerebellar_cortex"]
    volumes[3][box][inside] = gray * priors["deep_gray"] / (priors["deep_gray"] + cortical)
    bright = model.means["white_matter"]
    means = {name: value / bright for name, value in model.means.items()}
    gm, wm, csf, subcortical_gm = volumes
    return TissueFractions(gm, wm, csf, subcortical_gm, means, model.spreads["white_matter"] / bright)
