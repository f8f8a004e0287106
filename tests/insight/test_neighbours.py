"""Nearest neighbours of tokens, and the share that chance would give."""

import math

import numpy as np

from seqlab.insight.neighbours import nearest, same_kind


def test_neighbours_are_by_direction_not_by_length() -> None:
    vector_VD = np.array([[1.0, 0.0], [100.0, 1.0], [0.0, 1.0], [0.1, 5.0]])
    row_VN, cosine_VN = nearest(vector_VD, 2)
    assert row_VN[:, 0].tolist() == [1, 0, 3, 2]
    assert (cosine_VN[:, 0] >= cosine_VN[:, 1]).all()
    assert not (row_VN == np.arange(4)[:, None]).any()  # nobody is a neighbour of itself


def test_a_zero_vector_has_neighbours_all_the_same() -> None:
    row_VN, cosine_VN = nearest(np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]]), 9)
    assert row_VN.shape == (3, 2)
    assert np.isfinite(cosine_VN).all()


def test_chance_is_what_random_vectors_have() -> None:
    kinds = ["a"] * 60 + ["b"] * 30 + ["c"] * 10
    rng = np.random.default_rng(0)
    shares = [same_kind(nearest(rng.normal(size=(100, 16)), 1)[0][:, 0], kinds) for _ in range(100)]
    assert math.isclose(float(np.mean([share for share, _ in shares])), shares[0][1], abs_tol=0.02)


def test_clusters_are_found_and_single_kinds_left_out() -> None:
    vector_VD = np.array([[1.0, 0.1], [1.0, 0.0], [0.0, 1.0], [0.1, 1.0], [-1.0, -1.0]])
    assert same_kind(nearest(vector_VD, 1)[0][:, 0], ["a", "a", "b", "b", "c"]) == (1.0, 0.25)
    assert math.isnan(same_kind(np.array([1, 0]), ["a", "b"])[0])
