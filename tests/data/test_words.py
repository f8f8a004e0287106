"""Words and characters of every script."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seqlab.data.words import characters, normalized, same_text_key, words


@pytest.mark.parametrize(
    "text",
    [
        "यह कहानी बहुत सुंदर थी",  # vowel signs and a virama
        "এই গল্পটি খুব সুন্দর ছিল",
        "e\u0301te\u0301 deja\u0300 vu cafe\u0301 noe\u0308l",  # accents as characters of their own
        "שָׁלוֹם לְכֻלָּם הַיּוֹם יוֹם טוֹב",
        "السَّلامُ عَلَيْكُم يا أَصْدِقائي الكِرام",
        "می\u200cخواهم این کتاب را بخوانم",  # a joiner inside a word
        "น้ำ ดี ที่ นี่ ครับ",
    ],
)
def test_combining_marks_belong_to_their_word(text: str) -> None:
    assert words(text) == text.split()
    assert len(words(text)) == 5


def test_numbers_and_punctuation_stand_alone() -> None:
    assert words("it's GOOD -- x² 10/10!") == ["it's", "GOOD", "-", "-", "x²", "10", "/", "10", "!"]
    assert words("❤\ufe0f 1\ufe0f\u20e3") == ["❤\ufe0f", "1\ufe0f\u20e3"]


_marks = st.text(st.characters(categories=["Mn", "Mc", "Me"]), max_size=3)
_spelled = st.lists(st.tuples(st.characters(categories=["Lu", "Ll", "Lo"]), _marks), min_size=1, max_size=5)


@given(st.lists(_spelled, max_size=5))
def test_a_word_of_letters_and_marks_is_one_word(spelled: list[list[tuple[str, str]]]) -> None:
    expected = ["".join(letter + marks for letter, marks in word) for word in spelled]
    assert words(" ".join(expected)) == expected


def test_characters_count_white_space_once() -> None:
    assert characters(" 我 \t\n是\u3000") == ["我", " ", "是"]


def test_normalization_is_done_on_request_alone() -> None:
    apart = "e\u0301"
    assert normalized(apart, "none") == apart
    assert normalized(apart, "nfc") == "\u00e9"
    assert same_text_key(f" CAF{apart.upper()}\n noir ") == same_text_key("caf\u00e9 noir")
    assert same_text_key("Straße") == same_text_key("STRASSE")
    assert same_text_key("one two") != same_text_key("onetwo")
