"""The shapes that published rows come in -> rows of the kinds. Shared by the task literals."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from xstilts.tasks.base import Row

NLI_LABELS = ("entailment", "neutral", "contradiction")
NLI_INITIALS = {"e": 0, "n": 1, "c": 2}
CLUE_LABELS = ("neutral", "entailment", "contradiction")  # the order of CLUE's data sets on the hub
NO_ANSWER = "no-answer"  # the one label of a span task whose questions may have no answer
UNLABELLED = -1  # what the hub writes where a row has no gold label


# Universal parts of speech, in the order of the hub's UDPOS data sets.
UPOS = (
    "ADJ",
    "ADP",
    "ADV",
    "AUX",
    "CCONJ",
    "DET",
    "INTJ",
    "NOUN",
    "NUM",
    "PART",
    "PRON",
    "PROPN",
    "PUNCT",
    "SCONJ",
    "SYM",
    "VERB",
    "X",
)


def pair(
    first: str, second: str, label: str, *, key: str | None = None
) -> Callable[..., Row | None]:
    """Make a convert for two texts and a whole-number label; unlabelled rows are left out.

    Args:
        first, second, label: columns of the source.
        key: column of the source's own id, if it has one.
    """

    def convert(row: Row, language: str) -> Row | None:
        if row[label] == UNLABELLED:
            return None
        out = {"text_a": row[first], "text_b": row[second], "label": row[label]}
        return out if key is None else {"id": str(row[key]), **out}

    return convert


def single(text: str, label: str, *, key: str) -> Callable[..., Row]:
    """Make a convert for one text and a whole-number label."""

    def convert(row: Row, language: str) -> Row:
        return {"id": str(row[key]), "text_a": row[text], "text_b": None, "label": row[label]}

    return convert


def lettered_nli(row: Row, language: str) -> Row | None:
    """premise, hypothesis, label e/n/c; a row without such a label is left out."""
    label = NLI_INITIALS.get(row["label"])
    if label is None:
        return None
    return {"text_a": row["premise"], "text_b": row["hypothesis"], "label": label}


def clue_nli(row: Row, language: str) -> Row | None:
    """CLUE's columns, labels in the order of the other NLI tasks; unlabelled rows are left out."""
    if row["label"] == UNLABELLED:
        return None
    return {
        "id": str(row["idx"]),
        "text_a": row["sentence1"],
        "text_b": row["sentence2"],
        "label": NLI_LABELS.index(CLUE_LABELS[row["label"]]),
    }


def squad(row: Row, language: str) -> Row:
    """SQuAD's columns; answers come as two lists of equal length, repeats are kept once."""
    answers: list[dict[str, Any]] = []
    for text, start in zip(row["answers"]["text"], row["answers"]["answer_start"], strict=True):
        answer = {"text": text, "start": start}
        if answer not in answers:
            answers.append(answer)
    return {
        "id": str(row["id"]),
        "context": row["context"],
        "question": row["question"],
        "answers": answers,
    }


def answered(row: Row, language: str) -> Row:
    """SQuAD's columns as a text to answer with a text: the question, then its context.

    No words of ours stand between them, as they would be of one language. Of a question without an
    answer there is nothing to write.
    """
    found = squad(row, language)
    return {
        "id": found["id"],
        "source": f"{found['question'].strip()} {found['context'].strip()}",
        "targets": list(dict.fromkeys(answer["text"] for answer in found["answers"])),
        "language": language,
    }


def tagged(tags: str, labels: Sequence[str] = ()) -> Callable[[Row, str], Row | None]:
    """Make a convert for `tokens` and a column of tags; empty sentences are left out.

    Args:
        labels: in their order, where some source of the task gives tags by name.
    """
    numbers = {label: number for number, label in enumerate(labels)}

    def convert(row: Row, language: str) -> Row | None:
        if not row["tokens"]:
            return None
        named = numbers and isinstance(row[tags][0], str)
        found = [numbers[tag] for tag in row[tags]] if named else row[tags]
        return {"tokens": row["tokens"], "tags": found}

    return convert


def choices(context: str, question: str, options: Sequence[str], label: int) -> Row:
    """A multiple-choice row."""
    return {"context": context, "question": question, "choices": list(options), "label": label}


def copa(row: Row, language: str) -> Row | None:
    """COPA and XCOPA as XTREME-R feeds them: premise and an English question, then each choice."""
    if row["label"] == UNLABELLED:
        return None
    asked: Mapping[str, str] = {
        "cause": "What was the cause?",
        "effect": "What was the effect?",
    }
    context = f"{row['premise']} {asked[row['question']]}"
    out = choices(context, "", (row["choice1"], row["choice2"]), row["label"])
    return {"id": str(row["idx"]), **out}
