"""Every number of the official scorers that the golden folder holds, against ours.

Run: XSTILTS_GOLDEN=<folder> python -m pytest tests/metrics (besides XSTILTS_MIRROR=<folder>, for
the counts of LAReQA's real rows); a table of the largest differences comes last. The mock
submission is in test_golden_report.py.
"""

import json
import os
import tempfile
from collections.abc import Callable, Iterator
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from xstilts import tasks
from xstilts.benchmarks import score_files
from xstilts.core.errors import UserError
from xstilts.evaluation import search
from xstilts.evaluation.search import nearest
from xstilts.metrics import METRICS, ranking, tagging
from xstilts.rows import read

VERSIONS = {
    "seqeval_0.0.12": ("0.0.12", tagging.seqeval_0_0_12),
    "seqeval_1.2.2": ("1.2.2", tagging.seqeval_1_2_2),
}
Pairs = Iterator[tuple[Any, Any]]  # ours, official: numbers, or dicts and lists of them


def rank(queries: Any, candidates: Any, k: int) -> Any:
    """Rows of the k nearest candidates of each query, by cosine."""
    return search.top(search.unit_rows(queries), search.unit_rows(candidates), k)[1]


def _of(ours: dict[str, Any], official: dict[str, Any]) -> tuple[Any, Any]:
    """Our values and the official ones of the same names."""
    return ours, {key: official[key] for key in ours}


def _scored(task: str, language: str, found: Any, gold: Any, **options: Any) -> score_files.Scored:
    """Through the files and readers of `xstilts score`; texts are written as they are."""
    with tempfile.TemporaryDirectory() as folder:
        files = [Path(folder) / name for name in ("predictions", "references")]
        for file, content in zip(files, (found, gold), strict=True):
            text = content if isinstance(content, str) else json.dumps(content)
            file.write_text(text, encoding="utf-8")
        return score_files.score(task, language, *files, **options)


def answers(case: Any, name: str) -> Pairs:
    """Questions of one task and language: the whole file, and each question alone."""
    questions = [
        {"id": id_, "answers": [{"text": text} for text in texts]}
        for id_, texts in case["references"].items()
    ]
    gold = {"data": [{"paragraphs": [{"qas": questions}]}]}
    where = (case["task"], case["language"])
    done = _scored(*where, case["predictions"], gold, protocol="xtreme-r")  # which has ro
    yield done.values, case["expected"]
    metric = METRICS["mlqa_f1" if case["task"] == "mlqa" else "squad_f1"]
    for id_, official in case["per_question"].items():
        prediction, texts = case["predictions"].get(id_), case["references"][id_]
        yield _of(metric.score([prediction], [texts], case["language"]), official)


def answer_cases(case: Any, name: str) -> Pairs:
    """The QA scripts' quirks, one case each."""
    for one in case["cases"]:
        metric = METRICS[f"{one['scorer']}_f1"]
        ours = metric.score([one["prediction"]], [one["references"]], one["language"])
        yield ours, one["expected"]


def tags(case: Any, name: str) -> Pairs:
    """Tags of one language under both versions of seqeval, from files."""
    task, language, _ = name.split(".")
    found, gold = (
        "\n\n".join("\n".join(sentence) for sentence in case[side]) for side in ("pred", "gold")
    )
    for version, (seqeval, _) in VERSIONS.items():
        done = _scored(task, language, found, gold, seqeval=seqeval)
        yield _of(done.values, case["expected"][version])
    yield from _entities(case)


def tag_cases(case: Any, name: str) -> Pairs:
    """seqeval's quirks, one case each."""
    for one in case["cases"]:
        yield from _entities(one)
        for version, (seqeval, _) in VERSIONS.items():
            metric = METRICS["entity_f1" + score_files.SEQEVAL[seqeval]]
            yield _of(metric.score(one["pred"], one["gold"], "en"), one["expected"][version])


def _entities(case: Any) -> Pairs:
    """Entities in all: right, predicted, gold."""
    for version, (_, parse) in VERSIONS.items():
        sums = map(sum, zip(*tagging.counts(case["pred"], case["gold"], parse), strict=True))
        ours = dict(zip(("n_correct", "n_pred", "n_gold"), sums, strict=True))
        yield _of(ours, case["expected"][version])


def neighbours(case: Any, name: str) -> Pairs:
    """Tatoeba: nearest neighbours and accuracy in both directions, and without normalising."""
    src, tgt = (np.array(case[side], np.float32) for side in ("src", "tgt"))
    other = case["expected_other_direction"]
    for queries, pool, gold, official in (
        (tgt, src, case["gold"], case["expected"]),
        (src, tgt, other["gold"], other),
    ):
        found = nearest(queries, pool).tolist()
        yield found, official["predictions"]
        lines = ("\n".join(map(str, rows)) for rows in (found, gold))
        yield _of(_scored("tatoeba", "af", *lines).values, official)
    # Raw distances are no protocol of ours: only the scoring of what they find is compared.
    raw = case["expected_without_normalisation"]
    values = METRICS["retrieval_accuracy"].score(raw["predictions"], case["gold"], "af")
    yield _of(values, raw)


def _mined(case: Any) -> tuple[dict[str, list[search.Candidate]], dict[str, float]]:
    """Candidates of both splits, and the best threshold of each."""
    found, bars = {}, {}
    for split in ("dev", "test"):
        rows = case[split]
        src, trg = (np.array(rows[side], np.float32) for side in ("src", "trg"))
        found[split] = search.mine(src, trg, rows["src_texts"], rows["trg_texts"], case["k"])
        true = [(rows["src_ids"].index(a), rows["trg_ids"].index(b)) for a, b in rows["gold"]]
        bars[split] = search.best_threshold(found[split], true)
    return found, bars


CUTS = {  # what is cut -> split, and the one whose threshold is used
    "dev": ("dev", "dev"),
    "test_with_dev_threshold": ("test", "dev"),
    "test_with_own_best_threshold": ("test", "test"),
}


def pairs(case: Any, name: str) -> Pairs:
    """BUCC: candidates in their order, and F1 of what each threshold leaves of them."""
    found, bars = _mined(case)
    for split, official in case["expected_candidates"].items():
        ids = case[split]["src_ids"], case[split]["trg_ids"]
        named = [[ids[0][one.foreign], ids[1][one.english]] for one in found[split]]
        yield named, [one[:2] for one in official]
    for cut, (split, bar) in CUTS.items():
        rows, official = case[split], case["expected"][cut]
        taken = search.apply(found[split], bars[bar])
        yield len(taken), official["n_extracted"]
        lines = [f"{rows['src_ids'][one.foreign]}\t{rows['trg_ids'][one.english]}" for one in taken]
        gold = ["\t".join(pair) for pair in rows["gold"]]
        yield _of(_scored("bucc", "de", "\n".join(lines), "\n".join(gold)).values, official)


def margins(case: Any, name: str) -> Pairs:
    """BUCC: scores of candidates and thresholds, which are float32."""
    found, bars = _mined(case)
    for split, official in case["expected_candidates"].items():
        yield [one.score for one in found[split]], [one[2] for one in official]
    for cut, (_, bar) in CUTS.items():
        yield bars[bar], case["expected"][cut]["threshold"]


def questions(case: Any, name: str) -> Pairs:
    """LAReQA: mAP at several depths over the candidates of all languages."""
    asked, pool, official = case["questions"], case["candidates"], case["expected"]
    vectors = (np.array([one["embedding"] for one in side]) for side in (asked, pool))
    order = rank(*vectors, len(pool))
    ranked = [[pool[row]["uid"] for row in rows] for rows in order]
    right = [[one["uid"] for one in pool if own["xling_id"] in one["answers"]] for own in asked]
    for depth, k in (("map@20", 20), ("map@5", 5), ("map@2", 2), ("map_full", None)):
        each = [ranking.average_precision(*pair, k) for pair in zip(ranked, right, strict=True)]
        yield 100 * float(np.mean(each)), official[depth]
    for language, value in official["map@20_by_question_language"].items():
        own = [at for at, question in enumerate(asked) if question["language"] == language]
        found, gold = ({f"q{at}": side[at] for at in own} for side in (ranked, right))
        yield _scored("lareqa", language, found, gold, protocol="xtreme-r").score, value


def precisions(case: Any, name: str) -> Pairs:
    """AP@k of single rankings."""
    for one in case["cases"]:
        ranked, right = ([str(id_) for id_ in one[key]] for key in ("ranked", "targets"))
        yield ranking.average_precision(ranked, right, one["k"]), one["expected"]


def real_questions(case: Any, name: str) -> Pairs:
    """Questions, candidates and relevant pairs of the real XQuAD-R, read by our task."""
    if not os.environ.get("XSTILTS_MIRROR"):
        pytest.skip("XSTILTS_MIRROR is not set: no real rows of LAReQA here")
    task, mirror = tasks.load("lareqa"), Path(os.environ["XSTILTS_MIRROR"])
    for language, official in case["expected"].items():
        rows = read.read_split(task, mirror, language, task.evaluation).rows
        known = {row["id"] for row in read.read_split(task, mirror, language, "candidates").rows}
        own = sum(len(known.intersection(row["relevant"])) for row in rows)
        ours = {"questions": len(rows), "candidates": len(known), "relevant_pairs": own}
        yield ours, official


def entities(case: Any, name: str) -> Pairs:
    """Mewsli-X: rankings and their mAP, by language and on average."""
    pool, official = case["candidates"], case["expected"]
    vectors = np.array([one["embedding"] for one in pool])
    scores: dict[str, list[float]] = {"map@20": [], "map@5": []}
    for language, queries in case["queries"].items():
        found = rank(np.array([one["embedding"] for one in queries]), vectors, 20)
        ids = [one["example_id"] for one in queries]
        ranked = {
            id_: [pool[row]["entity_id"] for row in rows]
            for id_, rows in zip(ids, found, strict=True)
        }
        yield ranked, case["predictions"][language]
        for depth, cut in (("map@20", 20), ("map@5", 5)):
            first = {id_: names[:cut] for id_, names in ranked.items()}
            gold = case["gold"][language]
            done = _scored("mewslix", language, first, gold, protocol="xtreme-r")
            scores[depth].append(done.score)
            yield done.score, official["by_language"][language][depth]
    yield {depth: float(np.mean(each)) for depth, each in scores.items()}, official["average"]


def entity_cases(case: Any, name: str) -> Pairs:
    """The Mewsli-X script's quirks and counts; nothing to score is an error with us, there 0."""
    for one in case["cases"]:
        scored = (one["predictions"], one["gold"])
        if not one["gold"]:
            with pytest.raises(UserError, match="there are no rows"):
                _scored("mewslix", "de", *scored, protocol="xtreme-r")
            continue
        done = _scored("mewslix", "de", *scored, protocol="xtreme-r")
        yield done.score, one["expected"]["map"]
        said = [sum(words in note for note in done.notes) for words in ("have no", "are not in")]
        yield said, [one["expected"]["missing"], one["expected"]["extra"]]


COMPARE: dict[str, tuple[Callable[[Any, str], Pairs], float]] = {  # files -> comparison, tolerance
    "qa/edge_cases.json": (answer_cases, 1e-6),
    "qa/*.*.json": (answers, 1e-6),
    "tagging/edge_cases.json": (tag_cases, 1e-6),
    "tagging/*.*.json": (tags, 1e-6),
    "retrieval/tatoeba_a.json": (neighbours, 1e-6),
    "retrieval/bucc_*.json": (pairs, 1e-6),
    "retrieval/bucc_*.json ": (margins, 1e-5),
    "retrieval/lareqa_a.json": (questions, 1e-6),
    "retrieval/average_precision_cases.json": (precisions, 1e-6),
    "retrieval/lareqa_xquad_r_counts.json": (real_questions, 0),
    "retrieval/mewslix_a.json": (entities, 1e-6),
    "retrieval/mewslix_cases.json": (entity_cases, 1e-6),
}


@pytest.mark.parametrize("pattern", COMPARE)
def test_equals_the_official_scorers(
    pattern: str, golden_folder: Path, compared: Callable[..., None]
) -> None:
    """Published numbers came out of these scripts; ours must be the same."""
    compare, tolerance = COMPARE[pattern]
    files = sorted(golden_folder.glob(pattern.strip()))
    assert files, f"no golden file {pattern}"
    for file in files:
        name = file.relative_to(golden_folder).as_posix()
        case = json.loads(file.read_text(encoding="utf-8"))
        what = f"{name} {compare.__name__}"
        compared(what, compare(case, file.name), tolerance)


def test_no_golden_file_is_left_out(golden_folder: Path) -> None:
    """A number that no test reads may be wrong for ever. GOLDEN.md is text, the mock's own test
    says that it read all of the mock's files, and features are no numbers of a scorer."""
    names = [
        file.relative_to(golden_folder).as_posix()
        for file in golden_folder.rglob("*")
        if file.is_file()
    ]
    known = [*(pattern.strip() for pattern in COMPARE), "GOLDEN.md", "xtreme_mock/*", "features/*"]
    assert not [name for name in names if not any(fnmatch(name, one) for one in known)]
