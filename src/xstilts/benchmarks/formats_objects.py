"""Formats in JSON: choices, answers to questions, rankings of candidates."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from xstilts.benchmarks.formats import Pairs, fault, label_of, numbered, same_length, text_of


def choices(task: str, predictions: Path, references: Path) -> Pairs:
    """{"idx": ..., "label": 0 or 1} a line; the scripts go by the order, so idx must agree."""
    ours, gold = _json_rows(task, predictions), _json_rows(task, references)
    same_length(ours, gold, predictions, references)
    for line, (mine, theirs) in enumerate(zip(ours, gold, strict=True), 1):
        if mine.get("idx") != theirs.get("idx") and "idx" in mine and "idx" in theirs:
            what = f"idx is {mine['idx']!r}, but {theirs['idx']!r} in {references}"
            raise fault(predictions, what, "put the rows in the order of the references", line)
    labels = [[row["label"] for row in rows] for rows in (ours, gold)]
    return Pairs(labels[0], labels[1], len(gold))


def _json_rows(task: str, file: Path) -> list[dict[str, Any]]:
    rows = []
    for number, line in numbered(file):
        row = _parsed(file, line, number)
        if not isinstance(row, dict):
            raise fault(file, "is no JSON object", 'give {"idx": ..., "label": ...}', number)
        label_of(task, file, number, row.get("label"))
        rows.append(row)
    return rows


def _parsed(file: Path, text: str, line: int | None = None) -> Any:
    """JSON in which no key stands twice: the second would win without a word."""

    def unique(members: list[tuple[str, Any]]) -> dict[str, Any]:
        counts = Counter(key for key, _ in members)
        double = next((key for key, count in counts.items() if count > 1), None)
        if double is not None:
            raise fault(file, f"{double!r} stands twice", "leave one of them out", line)
        return dict(members)

    try:
        return json.loads(text, object_pairs_hook=unique)
    except json.JSONDecodeError as error:
        at = line or error.lineno
        raise fault(file, f"is no JSON ({error.msg})", "mend the file", at) from error


def answers(task: str, predictions: Path, references: Path) -> Pairs:
    """{question id: answer} against SQuAD's JSON."""
    gold = _questions(references)
    shape = "give {question id: answer text}"
    found = _by_id(predictions, lambda answer: isinstance(answer, str), shape)
    ids = [id_ for id_, _ in gold]
    pairs = _joined(ids, [texts for _, texts in gold], found, None)
    twice = len(ids) - len(set(ids))
    if twice:
        pairs.notes.append(f"{twice} ids stand twice in {references}; each counts, as officially")
    return pairs


def _questions(file: Path) -> list[tuple[str, list[str]]]:
    """(id, accepted answers) of each question of a file in SQuAD's form, in order."""
    content = _parsed(file, text_of(file))
    articles = content.get("data", content) if isinstance(content, dict) else content
    try:
        return [
            (str(question["id"]), [str(answer["text"]) for answer in question["answers"]])
            for article in articles
            for paragraph in article["paragraphs"]
            for question in paragraph["qas"]
        ]
    except (KeyError, TypeError) as error:
        what = f"is not in SQuAD's form ({type(error).__name__}: {error})"
        raise fault(file, what, "give data > paragraphs > qas > id, answers > text") from error


def rankings(task: str, predictions: Path, references: Path) -> Pairs:
    """{query id: [ids, best first]} against {query id: [right ids]}; of Mewsli-X one is right."""
    shape = "give {query id: [candidate ids]}"
    found = _by_id(predictions, _is_ids, shape)
    gold = _by_id(references, lambda ids: _is_ids(ids) and len(ids) > 0, shape)
    if task == "mewsli_x":  # as the script: the first one, without the blanks around it
        gold = {id_: [right[0].strip()] for id_, right in gold.items()}
    return _joined(list(gold), list(gold.values()), found, [])


def _is_ids(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(one, str) for one in value)


def _by_id(file: Path, fits: Callable[[Any], bool], mend: str) -> dict[str, Any]:
    content = _parsed(file, text_of(file))
    if not isinstance(content, dict):
        raise fault(file, "is no JSON object", mend)
    for id_, value in content.items():
        if not fits(value):
            raise fault(file, f"the value of {id_!r} is {str(value)[:40]!r}", mend)
    return content


def _joined(ids: list[str], gold: list[Any], found: dict[str, Any], nothing: Any) -> Pairs:
    """Predictions in the order of the references."""
    missing = [id_ for id_ in ids if id_ not in found]
    extra = sorted(found.keys() - set(ids))
    notes = []
    if missing:
        notes.append(
            f"{len(missing)} of {len(ids)} ids have no prediction (such as {missing[0]})"
            " and count as 0, as officially"
        )
    if extra:
        notes.append(
            f"{len(extra)} predicted ids are not in the references (such as {extra[0]})"
            " and are ignored, as officially"
        )
    ours = [found.get(id_, nothing) for id_ in ids]
    return Pairs(ours, gold, len(ids), len(missing), notes)
