"""Equations on the lecture's page."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markupsafe import Markup

from seqlab.lecture.page import equation


@pytest.mark.parametrize(
    ("text", "html"),
    [
        ("h_{t-1}, W_hh x_t", "h<sub>t-1</sub>, W<sub>hh</sub> x<sub>t</sub>"),
        ("head_i = x W_i^Q", "head<sub>i</sub> = x W<sub>i</sub><sup>Q</sup>"),
        ("10000^(2i/D)", "10000<sup>(2i/D)</sup>"),
        ("p(x_t | x_<t)", "p(x<sub>t</sub> | x<sub>&lt;t</sub>)"),
        ("∂L_t/∂h_{t-k}", "∂L<sub>t</sub>/∂h<sub>t-k</sub>"),
        ("diag(1 - h_i²) W_hᵀ", "diag(1 - h<sub>i</sub>²) W<sub>h</sub>ᵀ"),
        ("a < b & _ ^", "a &lt; b &amp; _ ^"),
    ],
)
def test_subscripts_and_superscripts_are_written_as_such(text: str, html: str) -> None:
    assert equation(text) == html


@given(st.text("ab_^{}()<&> ", max_size=30))
def test_whatever_is_written_no_text_is_lost_or_read_as_html(text: str) -> None:
    kept = equation(text).striptags()
    left_out = str.maketrans("", "", "_^{} ")
    assert kept.translate(left_out) == text.translate(left_out)
    assert isinstance(equation(text), Markup)
