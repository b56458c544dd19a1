"""Which sets hold the same rows, translations of them, or other rows of the same collection.

`KIN` says of a set what it is made of; `relation` finds the closest tie of two. Asked where a
checkpoint has seen a set before (benchmarks/seen.py). Rows in common are found by the stage
`check`; here are ties that no comparison of texts can find. Of one set, `TRANSLATED` says that its
languages have the same rows.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal

# The closest first: the same rows or a part of them; their translations; other rows, or other
# labels, of one collection; pairs of translations, of which the one set asks for what the other
# teaches.
Relation = Literal["same", "translation", "collection", "parallel"]
RELATIONS: tuple[Relation, ...] = ("same", "translation", "collection", "parallel")
PARALLEL = "parallel text"  # no set: what all sets of translations share

# Tasks whose rows say the same in each language, under equal ids (of MLQA some, of the world all).
# Where ids are names they say so themselves; a row's number says so only here.
TRANSLATED = frozenset(
    {"lareqa", "mlqa", "mlqa_text", "paws_x", "xcopa", "xnli", "xquad", "xquad_text"}
    | {f"world_{name}" for name in ("bitext", "classes", "facts", "new_classes", "new_tags")}
    | {f"world_{name}" for name in ("qa", "tags")}
)

# Sets that are no tasks of ours: name -> title.
OTHERS = {
    "cos_e": "CoS-E",
    "dureader": "DuReader",
    "eli5": "ELI5",
    "esnli": "e-SNLI",
    "fever": "FEVER",
    "hotpot_qa": "HotpotQA",
    "iit_bombay": "IIT Bombay English-Hindi",
    "miracl": "MIRACL",
    "mr_tydi": "Mr. TyDi",
    "ms_marco": "MS MARCO",
    "multiun": "MultiUN",
    "natural_questions": "Natural Questions",
    "nllb": "NLLB's mined pairs",
    "opus": "OPUS",
    "paws": "PAWS",
    "tatoeba_mt": "Tatoeba Challenge",
    "trivia_qa": "TriviaQA",
    "wikimatrix": "WikiMatrix",
}


@dataclass(frozen=True)
class Kin:
    """What a set is made of."""

    of: str
    how: Relation
    # its split -> the split of `of` that these rows are of, where the names differ
    splits: Mapping[str, str] = field(default_factory=dict)


KIN: dict[str, tuple[Kin, ...]] = {
    # natural language inference: XNLI's pairs were written anew, in the way and genres of MultiNLI
    "anli_plus": (Kin("anli", "same"), Kin("mnli", "same"), Kin("snli", "same")),
    "esnli": (Kin("snli", "same"),),
    "xnli": (Kin("mnli", "collection"),),
    "xnli_translated": (Kin("mnli", "translation"), Kin("xnli", "collection")),
    "cmnli": (Kin("mnli", "translation"), Kin("xnli", "collection")),
    "kor_nli": (Kin("mnli", "translation"), Kin("xnli", "collection")),
    # SQuAD: 2.0 holds the questions of 1.1; XQuAD translates 1,190 of its validation rows
    "squad_v2": (Kin("squad_v1", "same"),),
    "squad_retrieval": (Kin("squad_v1", "same"),),
    "squad_es": (Kin("squad_v1", "translation"),),
    "squad_it": (Kin("squad_v1", "translation"),),
    "squad_mlqa_translated": (Kin("squad_v1", "translation"),),
    "squad_xtreme_translated": (Kin("squad_v1", "translation"),),
    "xquad": (Kin("squad_v1", "translation"),),
    # the same rows, answered by a text
    **{f"{name}_text": (Kin(name, "same"),) for name in ("squad_v1", "xquad", "mlqa", "tydiqa")},
    "lareqa": (Kin("xquad", "same", {"test": "validation"}),),
    # Mr. TyDi and MIRACL ask TyDi QA's questions of whole Wikipedias
    "mr_tydi": (Kin("tydiqa", "collection"),),
    "miracl": (Kin("mr_tydi", "collection"),),
    # paraphrases: PAWS-X's training rows are PAWS's in English, its others people's translations
    "paws_x": (Kin("paws", "translation"),),
    "paws_x_translated": (Kin("paws", "translation"), Kin("paws_x", "translation")),
    # choices
    "xcopa": (Kin("copa", "translation"),),
    "cos_e": (Kin("commonsense_qa", "same"),),
    # parts of speech: two releases of the same treebanks
    "udpos_2_7": (Kin("udpos", "collection"),),
    # translations
    "tatoeba_mt": (Kin("tatoeba", "collection"),),
    **{
        name: (Kin(PARALLEL, "parallel"),)
        for name in ("tatoeba", "bucc", "iit_bombay", "multiun", "nllb", "opus", "wikimatrix")
    },
}


@dataclass(frozen=True)
class _Step:
    """An ancestor of a set: how far it is, and which of its splits the rows are of."""

    how: Relation
    splits: frozenset[str]  # empty: not said


def relation(
    one: str, splits: Iterable[str], other: str, other_splits: Iterable[str]
) -> Relation | None:
    """The closest tie of rows of two sets; None where there is none.

    Args:
        one, other: names of tasks or of `OTHERS`.
        splits, other_splits: which of their rows; none: not said. Of rows of different splits
            neither the same nor a translation is left: they are of one collection.
    """
    found = [
        _tie(step, their_step, one == other)
        for name, step in _above(one, splits)
        for their_name, their_step in _above(other, other_splits)
        if name == their_name
    ]
    return min(found, key=RELATIONS.index, default=None)


def _above(name: str, splits: Iterable[str]) -> Iterator[tuple[str, _Step]]:
    """The set itself, and all that it is made of, by every way there."""
    own = _Step("same", frozenset(splits))
    yield name, own
    for kin in KIN.get(name, ()):
        mapped = (kin.splits.get(split, split) for split in own.splits)
        for above, step in _above(kin.of, mapped):
            yield above, _Step(_farther(kin.how, step.how), step.splits)


def _tie(one: _Step, other: _Step, identical: bool) -> Relation:
    """The tie of two sets through an ancestor of both."""
    how: Relation = "same" if identical else _farther(one.how, other.how)
    apart = one.splits and other.splits and not one.splits & other.splits
    return _farther(how, "collection") if apart else how


def _farther(one: Relation, other: Relation) -> Relation:
    return max(one, other, key=RELATIONS.index)
