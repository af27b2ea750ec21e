"""Prompt and answer lengths that go together: a given rank correlation between two given sets of lengths."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]
Tokens = NDArray[np.int64]


def paired(inputs: Tokens, outputs: Tokens, rank_correlation: float, random: np.random.Generator) -> Tokens:
    """The same answers in another order, so that their ranks correlate with those of the prompts as given.

    Both sets of lengths stay as they are, each prompt in its place: a Gaussian copula between them.

    Parameters
    ----------
    inputs, outputs : shape (n,) [token]
    rank_correlation : Spearman's, from -1 to 1; reached within about 1/√n [-]

    References
    ----------
    .. [1] Iman & Conover, "A distribution-free approach to inducing rank correlation among input variables",
       Communications in Statistics B 11 (1982).

    Examples
    --------
    >>> paired(np.array([30, 10, 20]), np.array([5, 6, 7]), 1.0, np.random.default_rng(0)).tolist()
    [7, 5, 6]
    """
    from scipy.special import ndtri

    count = len(inputs)
    place = _ranks(inputs, random)
    latent = 2 * np.sin(np.pi / 6 * rank_correlation)  # Pearson's of two normals with that rank correlation
    noise = random.standard_normal(count)
    wanted = latent * ndtri((place + 0.5) / count) + np.sqrt(max(1 - latent**2, 0.0)) * noise
    return np.asarray(np.sort(outputs)[_ranks(wanted, random)])


def rank_correlation(inputs: ArrayLike, outputs: ArrayLike) -> float:
    """Spearman's rank correlation, equals sharing their rank; 0 where one of them does not vary. [-]

    Examples
    --------
    >>> rank_correlation([1, 2, 3, 4], [10, 20, 40, 30])
    0.8
    """
    from scipy.stats import rankdata

    ranks = np.stack([rankdata(np.asarray(values)) for values in (inputs, outputs)])
    if (np.ptp(ranks, axis=1) == 0).any():
        return 0.0
    return round(float(np.corrcoef(ranks)[0, 1]), 12)


def lognormal(mean: float, cv: float, count: int, random: np.random.Generator) -> Tokens:
    """Lengths with a mean and a coefficient of variation, 1 at least: the usual shape of prompts and answers. [token]

    Notes
    -----
    The quantiles at equal steps, in a random order: mean and spread do not hang on the seed.

    Examples
    --------
    >>> found = lognormal(1000.0, 1.5, 100_000, np.random.default_rng(0))
    >>> round(float(found.mean())), round(float(found.std() / found.mean()), 2)
    (1000, 1.5)
    """
    from scipy.special import ndtri

    sigma = np.sqrt(np.log1p(cv**2))
    quantiles = np.exp(sigma * ndtri((np.arange(count) + 0.5) / count))
    lengths = np.rint(quantiles * (mean / quantiles.mean()))
    return random.permutation(np.maximum(lengths, 1).astype(np.int64))


def _ranks(values: ArrayLike, random: np.random.Generator) -> Tokens:
    """Places in order, from 0; equals in a random order."""
    column = np.asarray(values)
    ranks = np.empty(len(column), np.int64)
    ranks[np.lexsort((random.random(len(column)), column))] = np.arange(len(column))
    return ranks
