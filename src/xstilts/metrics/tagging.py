"""Entity F1 of tag sequences, as seqeval 0.0.12 and 1.2.2 count it; and token accuracy.

XTREME scores PAN-X and UDPOS alike with seqeval's micro-averaged entity F1 (function `f1` of
evaluate.py in google-research/xtreme, commit 838c13b), and its published numbers are those of
0.0.12. The two versions share the rules of where an entity starts and ends and differ in how they
read a tag, which matters for UDPOS, whose tags have no B- or I-. Source: `get_entities` in
seqeval/metrics/sequence_labeling.py of chakki-works/seqeval.
"""

from __future__ import annotations

from collections.abc import Callable

from xstilts.metrics.accuracy import paired, percentage

Entity = tuple[str, int, int]  # type, first token, last token; tokens counted over all sentences
Parse = Callable[[str], tuple[str, str]]  # tag -> its mark (B, I, O, ...) and its entity type


def seqeval_0_0_12(tag: str) -> tuple[str, str]:
    """The first letter, and what follows the last dash, or the whole tag: NOUN is (N, NOUN).

    So an entity of UDPOS is a run of one tag, except that S means "single": SCONJ and SYM
    never merge.
    """
    return tag[0], tag.split("-")[-1]


def seqeval_1_2_2(tag: str) -> tuple[str, str]:
    """The first letter, and what follows the first dash after it, or the rest, or "_".

    So CCONJ and SCONJ are one type, and X has the type of O: a run of X that ends its sentence is
    lost, and one that begins it inherits the start of an entity before it.
    """
    return tag[0], tag[1:].split("-", maxsplit=1)[-1] or "_"


def _ends(last: str, last_type: str, mark: str, kind: str) -> bool:
    """Whether an entity ends between a token (last, last_type) and the next (mark, kind)."""
    if last in "ES" or (last in "BI" and mark in "BSO"):
        return True
    return last not in "O." and last_type != kind


def _starts(last: str, last_type: str, mark: str, kind: str) -> bool:
    """Whether an entity starts at the token (mark, kind) that follows (last, last_type)."""
    if mark in "BS" or (last in "ESO" and mark in "EI"):
        return True
    return mark not in "O." and last_type != kind


def entities(sentences: list[list[str]], parse: Parse) -> list[set[Entity]]:
    """The entities that end in each sentence (none crosses a sentence's end).

    State runs on from sentence to sentence as in the source, where it matters to 1.2.2: an
    entity's start may lie in an earlier sentence, so whether it is right can depend on that one.
    Each entity still belongs to one sentence, so counts by sentence sum to the source's counts.
    """
    found: list[set[Entity]] = [set() for _ in sentences]
    last, last_type, start, position = "O", "", 0, 0
    for sentence, inside in zip(sentences, found, strict=True):
        for tag in [*sentence, "O"]:  # the source, too, puts an O after each sentence
            mark, kind = parse(tag)
            if _ends(last, last_type, mark, kind):
                inside.add((last_type, start, position - 1))
            if _starts(last, last_type, mark, kind):
                start = position
            last, last_type, position = mark, kind, position + 1
    return found


def counts(
    predictions: list[list[str]], references: list[list[str]], parse: Parse
) -> list[tuple[int, int, int]]:
    """(right, predicted, gold) entities per sentence.

    Raises:
        ValueError: lists, or the two sides of a sentence, differ in length, or there is nothing.
    """
    _aligned(predictions, references)
    both = zip(entities(predictions, parse), entities(references, parse), strict=True)
    return [(len(ours & gold), len(ours), len(gold)) for ours, gold in both]


def _aligned(
    predictions: list[list[str]], references: list[list[str]]
) -> list[tuple[list[str], list[str]]]:
    """Pairs of sentences that are equally long; seqeval 0.0.12 would shift without a word."""
    pairs = paired(predictions, references)
    for row, (ours, gold) in enumerate(pairs):
        if len(ours) != len(gold):
            raise ValueError(f"sentence {row} has {len(ours)} predicted and {len(gold)} gold tags")
    return pairs


def per_example(
    predictions: list[list[str]], references: list[list[str]], language: str, *, parse: Parse
) -> list[tuple[float, float]]:
    """(2 * right, predicted + gold) entities per sentence; (0, 0) where there are none."""
    sentences = counts(predictions, references, parse)
    return [(2.0 * right, float(ours + gold)) for right, ours, gold in sentences]


def score(
    predictions: list[list[str]], references: list[list[str]], language: str, *, parse: Parse
) -> dict[str, float]:
    """`f1` (main), `precision`, `recall` of entities and `token_accuracy`, 0-100.

    The first three are 0 if there is no entity at all.
    """
    sentences = counts(predictions, references, parse)
    return {
        "f1": percentage((2 * right, ours + gold) for right, ours, gold in sentences),
        "precision": percentage((right, ours) for right, ours, _ in sentences),
        "recall": percentage((right, gold) for right, _, gold in sentences),
        **score_tokens(predictions, references, language),
    }


def tokens_per_example(
    predictions: list[list[str]], references: list[list[str]], language: str
) -> list[tuple[float, float]]:
    """(right, all) tokens per sentence; raises as `counts`."""
    return [
        (float(sum(map(str.__eq__, ours, gold))), float(len(gold)))
        for ours, gold in _aligned(predictions, references)
    ]


def score_tokens(
    predictions: list[list[str]], references: list[list[str]], language: str
) -> dict[str, float]:
    """`token_accuracy`, 0-100: the share of tokens with the right tag."""
    return {"token_accuracy": percentage(tokens_per_example(predictions, references, language))}
