"""2:4 structured sparsity: two of four neighbouring weights are zero, and neither stored nor multiplied."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]

KEPT = 0.5  # two weights of four
INDEX_BITS = 2  # position of a kept weight within its four


def stored_share(bits: ArrayLike) -> Array:
    """Bytes of a 2:4 matrix over those of the dense one: half the values, and where they belong. [-]

    Parameters
    ----------
    bits : array_like, shape (n,), width of a stored weight. [bit]

    References
    ----------
    .. [1] Mishra et al., "Accelerating Sparse Deep Neural Networks", arXiv 2104.08378, section 2.

    Examples
    --------
    >>> float(stored_share(16)), float(stored_share(8))
    (0.5625, 0.625)
    """
    width = np.asarray(bits, float)
    return np.asarray(KEPT * (width + INDEX_BITS) / width)


def reached_flops_per_s(dense: ArrayLike, sparse: ArrayLike, share: ArrayLike) -> Array:
    """Rate of dense-equivalent arithmetic: a share of the sparse peak, never below the dense one. [FLOP/s]

    Kernels that win nothing are not used, hence the floor.
    """
    return np.asarray(np.maximum(np.asarray(dense, float), np.asarray(sparse, float) * np.asarray(share, float)))
