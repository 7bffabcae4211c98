"""Gray matter, white matter and CSF as fractions of each voxel.

A mixture model with partial volume (Tohka et al., https://doi.org/10.1016/j.neuroimage.2004.05.007): pure tissues are
Gaussian, a voxel between two tissues has any mixture of them with equal probability.  Where a tissue can be is said by
the structure network, what neighbours say enters as a Markov random field on the fractions, solved by mean field.
Thalamus and pallidum are nearly as bright as white matter, so deep gray matter has a class, a mean and a spread of
its own and counts as gray; the rim of a ventricle is a mixture of CSF and white matter and not a layer of gray.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage, special

from pipeline.algorithms.structures import STRUCTURES

_PURE = ("cortex", "cerebellar_cortex", "deep_gray", "white_matter", "csf")
_MIXED = (
    ("cortex", "white_matter"),
    ("cortex", "csf"),
    ("cerebellar_cortex", "white_matter"),
    ("cerebellar_cortex", "csf"),
    ("deep_gray", "csf"),
    ("white_matter", "csf"),
)
_TISSUE_OF = {"cortex": 0, "cerebellar_cortex": 0, "deep_gray": 0, "white_matter": 1, "csf": 2}
_GRAY, _WHITE, _FLUID = range(3)
_EM_ITERATIONS = 6
_FIELD_MM = 14.0
_PRIOR_FLOOR = 2e-3
_NEIGHBOUR_WEIGHT = 4.0
_MIXTURE_WEIGHT = 2.0
_DEEP_REACH = 0.75  # of the way from cortex to white matter
_RIM_MM = 1.5
_RIM_GAIN = 6.0
_MIN_VOXELS = 500


@dataclass(frozen=True)
class TissueFractions:
    """Fractions (X, Y, Z) float32 in [0, 1] that sum to one in the intracranial mask and are zero outside.

    `subcortical_gm` is the part of `gm` that lies in deep nuclei.  `means` are intensities of the pure tissues in units
    of white matter, `noise_sd` the spread within them.
    """

    gm: NDArray[Any]
    wm: NDArray[Any]
    csf: NDArray[Any]
    subcortical_gm: NDArray[Any]
    means: dict[str, float]
    noise_sd: float


@dataclass
class _Model:
    means: dict[str, float]
    spreads: dict[str, float]


def _priors(
    structures: NDArray[Any], voxel_mm: NDArray[Any], box: tuple[slice, ...], inside: NDArray[Any], brain: NDArray[Any]
) -> dict[str, NDArray[Any]]:
    """Prior probability (N,) of each pure class in the voxels of `inside`."""
    index = {name: number for number, name in enumerate(STRUCTURES)}
    sources = {
        "cortex": ("cortex",),
        "cerebellar_cortex": ("cerebellar_cortex",),
        "deep_gray": ("deep_gray",),
        "white_matter": ("white_matter", "brainstem"),
        "csf": ("ventricles", "outer_csf", "outside"),
    }
    near_brain = ndimage.gaussian_filter(brain.astype(np.float32), 1.0 / voxel_mm)[inside]
    priors = {}
    for name, members in sources.items():
        total = sum(structures[index[m]][box][inside].astype(np.float32) for m in members)
        # outside the brain mask there is fluid: a smooth edge, so that the mask's own error does not cut the cortex
        priors[name] = np.asarray(total if name == "csf" else total * np.clip(near_brain * 4, 0, 1)) + _PRIOR_FLOOR
    rim = _ventricle_rim(structures, voxel_mm, box)[inside]
    for name in ("cortex", "deep_gray"):
        priors[name] = priors[name] * (1 - rim)
    scale = sum(priors.values())
    return {name: p / scale for name, p in priors.items()} | {"rim": rim}


def _ventricle_rim(structures: NDArray[Any], voxel_mm: NDArray[Any], box: tuple[slice, ...]) -> NDArray[Any]:
    """How surely a voxel (X, Y, Z) lies where white matter meets a ventricle, in [0, 1].

    A mixture of the two is as bright as gray matter, and the network takes it for some: where both are near, what
    lies between them is a mixture.  Beside caudate and thalamus there is no white matter and so no rim.
    """
    sigma = _RIM_MM / voxel_mm
    fluid, white = (
        ndimage.gaussian_filter(structures[STRUCTURES.index(name)][box].astype(np.float32), sigma)
        for name in ("ventricles", "white_matter")
    )
    return np.asarray(np.clip(_RIM_GAIN * fluid * white, 0, 1))


def _weighted_median(values: NDArray[Any], weights: NDArray[Any]) -> float:
    order = np.argsort(values)
    running = np.cumsum(weights[order])
    return float(values[order][np.searchsorted(running, running[-1] / 2)])


def _start(intensity: NDArray[Any], priors: dict[str, NDArray[Any]]) -> _Model:
    """First means from where the prior is surest; a class with too few voxels takes a usual ratio to white matter."""
    usual = {"cortex": 0.68, "cerebellar_cortex": 0.66, "deep_gray": 0.78, "white_matter": 1.0, "csf": 0.25}
    means = {}
    white = 1.0
    for name in ("white_matter", *(n for n in _PURE if n != "white_matter")):
        sure = priors[name] > max(0.6, float(np.percentile(priors[name], 90)) * 0.8)
        enough = np.count_nonzero(sure) >= _MIN_VOXELS
        means[name] = _weighted_median(intensity[sure], priors[name][sure] ** 4) if enough else usual[name] * white
        white = means["white_matter"]
    spread = 0.06 * white
    return _Model(means, {name: spread * (1.6 if name == "deep_gray" else 1.0) for name in _PURE})


def _gaussian(x: NDArray[Any] | float, mean: float, spread: float) -> NDArray[Any]:
    return np.asarray(np.exp(-0.5 * ((x - mean) / spread) ** 2) / (spread * np.sqrt(2 * np.pi)), dtype=np.float32)


def _mixture_density(x: NDArray[Any], a: float, b: float, spread: float) -> NDArray[Any]:
    """Density of a uniform mixture of means a and b with Gaussian noise."""
    low, high = min(a, b), max(a, b)
    width = max(high - low, 1e-3)
    return np.asarray((special.ndtr((x - low) / spread) - special.ndtr((x - high) / spread)) / width, dtype=np.float32)


def _classes(x: NDArray[Any], priors: dict[str, NDArray[Any]], model: _Model) -> tuple[NDArray[Any], NDArray[Any]]:
    """Joint prior times likelihood (K, N) and the tissue fractions each class stands for (K, 3, N)."""
    count = len(_PURE) + len(_MIXED)
    joint = np.empty((count, x.size), np.float32)
    fractions = np.zeros((count, 3, x.size), np.float32)
    for number, name in enumerate(_PURE):
        likelihood = _gaussian(x, model.means[name], model.spreads[name])
        if name == "deep_gray":  # from the caudate, like cortex, to the pallidum, nearly white
            bright = model.means["cortex"] + _DEEP_REACH * (model.means["white_matter"] - model.means["cortex"])
            likelihood = _mixture_density(x, model.means["cortex"], bright, model.spreads["cortex"])
        if name == "csf":  # nothing is darker than fluid but flow voids and vessels' walls: count them as fluid
            likelihood = np.where(
                x < model.means[name], _gaussian(model.means[name], model.means[name], model.spreads[name]), likelihood
            )
        if name == "white_matter":  # brighter than white: fat-free noise, vessels, bias; white all the same
            likelihood = np.maximum(likelihood, np.where(x > model.means[name], 1e-3, 0).astype(np.float32))
        joint[number] = priors[name] * likelihood
        fractions[number, _TISSUE_OF[name]] = 1
    for number, (a, b) in enumerate(_MIXED, start=len(_PURE)):
        spread = min(model.spreads[a], model.spreads[b])
        chance = _MIXTURE_WEIGHT * priors[a] * priors[b]
        if (a, b) == ("white_matter", "csf"):
            chance = chance + priors["rim"]
        joint[number] = chance * _mixture_density(x, model.means[a], model.means[b], spread)
        share = np.clip((x - model.means[b]) / (model.means[a] - model.means[b] + 1e-6), 0, 1)
        fractions[number, _TISSUE_OF[a]] += share
        fractions[number, _TISSUE_OF[b]] += 1 - share
    return joint, fractions


def _neighbour_mean(volume: NDArray[Any], voxel_mm: NDArray[Any]) -> NDArray[Any]:
    """Mean of the six neighbours (X, Y, Z), nearer ones weighted more (inverse square distance)."""
    weights = 1 / voxel_mm**2
    total = np.zeros_like(volume)
    for axis, weight in enumerate(weights / (2 * weights.sum())):
        kernel = np.zeros(3, np.float32)
        kernel[[0, 2]] = weight
        total += ndimage.correlate1d(volume, kernel, axis=axis, mode="nearest")
    return total


def _expected_fractions(
    joint: NDArray[Any], fractions: NDArray[Any], inside: NDArray[Any], voxel_mm: NDArray[Any], sweeps: int
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Mean-field solution of the random field: class posteriors (K, N) and fractions (3, N)."""
    posterior = joint / (joint.sum(0) + 1e-20)
    found = np.einsum("kn,ktn->tn", posterior, fractions)
    for _ in range(sweeps):
        neighbours = np.empty_like(found)
        for tissue in range(3):
            volume = np.zeros(inside.shape, np.float32)
            if tissue == _FLUID:
                volume[~inside] = 1
            volume[inside] = found[tissue]
            neighbours[tissue] = _neighbour_mean(volume, voxel_mm)[inside]
        distance = ((fractions - neighbours[None]) ** 2).sum(1)
        posterior = joint * np.exp(-_NEIGHBOUR_WEIGHT * distance)
        posterior /= posterior.sum(0) + 1e-20
        found = np.einsum("kn,ktn->tn", posterior, fractions)
    return posterior, found


def _update(x: NDArray[Any], posterior: NDArray[Any], model: _Model) -> _Model:
    """New means and spreads of the pure classes; those with too little weight keep theirs."""
    means, spreads = dict(model.means), dict(model.spreads)
    for number, name in enumerate(_PURE):
        weight = posterior[number]
        total = float(weight.sum())
        if total < _MIN_VOXELS:
            continue
        mean = float((weight * x).sum() / total)
        means[name] = mean
        spreads[name] = float(np.sqrt((weight * (x - mean) ** 2).sum() / total))
    white = means["white_matter"]
    for name in _PURE:
        spreads[name] = float(np.clip(spreads[name], 0.015 * white, 0.2 * white))
    return _Model(means, spreads)


def _residual_field(
    x: NDArray[Any], posterior: NDArray[Any], model: _Model, inside: NDArray[Any], voxel_mm: NDArray[Any]
) -> NDArray[Any]:
    """Smooth multiplicative field (N,) that bias correction has left, from white matter and cortex."""
    weight = np.zeros(inside.shape, np.float32)
    deviation = np.zeros(inside.shape, np.float32)
    parts = [(name, posterior[_PURE.index(name)]) for name in ("white_matter", "cortex", "cerebellar_cortex")]
    weight[inside] = sum(p for _, p in parts)
    deviation[inside] = sum(p * np.log(np.maximum(x, 1e-3) / model.means[name]) for name, p in parts)
    sigma = _FIELD_MM / voxel_mm
    smooth = ndimage.gaussian_filter(deviation, sigma) / (ndimage.gaussian_filter(weight, sigma) + 0.02)
    return np.asarray(np.exp(smooth[inside]), dtype=np.float32)


def segment_tissue(
    image: NDArray[Any],
    voxel_to_ras: NDArray[Any],
    brain_mask: NDArray[Any],
    intracranial_mask: NDArray[Any],
    structures: NDArray[Any],
) -> TissueFractions:
    """Tissue fractions of a bias-corrected T1w scan.

    Parameters
    ----------
    image : (X, Y, Z) array-like
        Bias-corrected intensities, lesions filled where they are known.
    voxel_to_ras : (4, 4) array-like
    brain_mask, intracranial_mask : (X, Y, Z) bool array-like
    structures : (C, X, Y, Z) float array-like
        Probabilities from `structures.label_structures`.

    Returns
    -------
    TissueFractions

    Raises
    ------
    ValueError
        The intracranial mask is too small to hold a brain.
    """
    voxel_mm = np.linalg.norm(np.asarray(voxel_to_ras)[:3, :3], axis=0)
    mask = np.asarray(intracranial_mask, bool) | np.asarray(brain_mask, bool)
    if np.count_nonzero(mask) < 5 * _MIN_VOXELS:
        raise ValueError(f"the intracranial mask has {np.count_nonzero(mask)} voxels, too few for a brain")
    box = tuple(slice(max(int(a.min()) - 2, 0), int(a.max()) + 3) for a in np.nonzero(mask))
    inside = mask[box]
    priors = _priors(structures, voxel_mm, box, inside, np.asarray(brain_mask, bool)[box])
    raw = np.asarray(image, dtype=np.float32)[box][inside]
    raw = raw / max(float(np.percentile(raw, 90)), 1e-6)
    model = _start(raw, priors)
    x = raw
    for iteration in range(_EM_ITERATIONS):
        joint, fractions = _classes(x, priors, model)
        posterior, found = _expected_fractions(
            joint, fractions, inside, voxel_mm, 1 if iteration < _EM_ITERATIONS - 1 else 4
        )
        if iteration == _EM_ITERATIONS - 1:
            break
        model = _update(x, posterior, model)
        if iteration in (1, 3):
            x = x / _residual_field(x, posterior, model, inside, voxel_mm)
    volumes = np.zeros((4, *np.shape(image)), np.float32)
    total = found.sum(0)
    for tissue in range(3):
        volumes[tissue][box][inside] = np.clip(found[tissue] / total, 0, 1)
    cortical = priors["cortex"] + priors["cerebellar_cortex"]
    volumes[3][box][inside] = volumes[_GRAY][box][inside] * priors["deep_gray"] / (priors["deep_gray"] + cortical)
    white = model.means["white_matter"]
    means = {name: value / white for name, value in model.means.items()}
    gm, wm, csf, subcortical_gm = volumes
    return TissueFractions(gm, wm, csf, subcortical_gm, means, model.spreads["white_matter"] / white)
