# SPDX-License-Identifier: MIT
"""Prints the polynomials of src/kernels/vector/gelu.h and how far they are from the truth. Needs numpy.

With t = x / BOUND, cut at -1 and 1, u = 1 - t^2 and v = u - 1/2, GELU's normal distribution and GELU's slope are both
1/2 + t (1/2 + u R(v)): odd about 1/2, and exactly 0 and 1 where t is cut. R is the polynomial whose largest error is
least (Lawson's algorithm: least squares, each point's weight times its error, again and again). A polynomial in v has
small coefficients, as v is centred: those in u would lose all digits to cancellation."""

import math

import numpy
from numpy.polynomial import chebyshev, polynomial

BOUND = 5.75
POINTS = 4000
ROUNDS = 100


def centred_normal(x):
    return 0.5 * numpy.vectorize(math.erf)(x / math.sqrt(2))


def centred_slope(x):
    return centred_normal(x) + x * numpy.exp(-x * x / 2) / math.sqrt(2 * math.pi)


def fit(function, terms):
    """R's coefficients, lowest power first, in double precision."""
    t = numpy.cos((numpy.arange(POINTS) + 0.5) / POINTS * math.pi / 2)
    u = 1 - t * t
    basis = chebyshev.chebvander(2 * u - 1, terms - 1) * (t * u)[:, None]
    wanted = function(t * BOUND) - 0.5 * t
    weight = numpy.full(POINTS, 1 / POINTS)
    for _ in range(ROUNDS):
        root = numpy.sqrt(weight)
        coefficients = numpy.linalg.lstsq(basis * root[:, None], wanted * root, rcond=None)[0]
        weight *= numpy.abs(basis @ coefficients - wanted)
        weight /= weight.sum()
    in_2v = chebyshev.cheb2poly(coefficients)
    return in_2v * 2.0 ** numpy.arange(terms)


def largest_error(function, coefficients):
    """Over all x, the function's limits beyond BOUND included; without the rounding of float arithmetic."""
    x = numpy.linspace(-9, 9, 180001)
    t = numpy.clip(x / BOUND, -1, 1)
    u = 1 - t * t
    value = t * (0.5 + u * polynomial.polyval(u - 0.5, coefficients))
    return numpy.abs(value - function(x)).max()


for name, function, terms in (("normal", centred_normal, 14), ("slope", centred_slope, 16)):
    rounded = numpy.float32(fit(function, terms))
    print(f"/* off by {largest_error(function, rounded.astype(float)):.2e} at most */")
    print(f"static const float vector_gelu_{name}[{terms}] = {{{', '.join(f'{c:.9g}f' for c in rounded)}}};")
