"""Claims as files: every shipped one makes sense, and errors name the place."""

from pathlib import Path

import pytest
import yaml

from seqlab.comparison.parse_plan import parse_plan
from seqlab.errors import ConfigError
from seqlab.lecture.read import claim_files, read_claim, read_claims, requested


@pytest.mark.parametrize("name", list(claim_files(None)))
def test_every_claim_can_be_tried(name: str) -> None:
    claim = read_claim(name, None)
    for one in claim.experiments.values():
        for speed in ("quick", "full"):
            parse_plan(requested(one, speed, (), None), None)


def test_claims_come_in_the_order_of_the_lecture() -> None:
    places = [claim.place for claim in read_claims((), None).values()]
    assert places == sorted(places)


def _own(tmp_path: Path, **changed: object) -> Path:
    values = {
        "title": "t", "place": 1, "statement": "s", "source": "x", "link": "https://example.org", "about": "a",
        "experiments": {"e": {"compare": ["rnn", "lstm"]}},
        "evidence": [{"says": "s", "experiment": "e", "figure": "loss", "of": "lstm", "than": "rnn", "expect": "less"}],
        "minutes": {"quick": 1, "full": 1}, "expected": "holds", **changed,
    }  # fmt: skip
    (tmp_path / "claim").mkdir()
    (tmp_path / "claim" / "mine.yaml").write_text(yaml.safe_dump(values), encoding="utf-8")
    return tmp_path


def test_a_claim_of_one_s_own(tmp_path: Path) -> None:
    assert read_claim("mine", _own(tmp_path)).evidence[0].of == "lstm"


_EVIDENCE = {"says": "s", "experiment": "e", "figure": "loss", "of": "lstm", "than": "rnn", "expect": "less"}


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"evidence": []}, "evidence=[]"),
        ({"evidence": [{**_EVIDENCE, "of": "lstn"}]}, "evidence[0].of=lstn"),
        ({"evidence": [{**_EVIDENCE, "experiment": "f"}]}, "experiment=f"),
        ({"evidence": [{**_EVIDENCE, "expect": "better"}]}, "evidence[0].expect"),
        ({"expected": "true"}, "expected"),
        ({"experiments": {"e": {"compare": ["rnn", "lstn"]}}}, "lstn"),
        ({"experiments": ["e"]}, "experiments"),
        ({"shown": [{"experiment": "e", "picture": "p", "look": "l", "labels": ["gru"]}]}, "shown[0].labels=gru"),
        ({"link": "nowhere"}, "link=nowhere"),
        ({"tittle": "t"}, "tittle"),
    ],
)
def test_a_mistake_is_named_with_its_place(tmp_path: Path, changed: dict[str, object], said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read_claim("mine", _own(tmp_path, **changed))
    assert "mine.yaml" in caught.value.what
    assert said in f"{caught.value.what} {caught.value.hint}"


def test_a_name_that_does_not_exist() -> None:
    with pytest.raises(ConfigError, match="no claim called 'truncated'") as caught:
        read_claim("truncated", None)
    assert "truncated_bptt" in caught.value.hint


def test_the_claim_in_the_documentation_is_whole(tmp_path: Path) -> None:
    page = (Path(__file__).parents[2] / "docs" / "lecture.md").read_text(encoding="utf-8")
    (tmp_path / "claim").mkdir()
    (tmp_path / "claim" / "mine.yaml").write_text(page.split("```yaml\n")[1].split("```")[0], encoding="utf-8")
    assert read_claim("mine", tmp_path).evidence[1].margin == 0.02
