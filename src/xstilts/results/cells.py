"""The cells of a study: the scores of all runs on one target and language, checked and joined.

Read by the stage `aggregate`, which refuses holes, doubles and scores that their examples do not
add up to.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from xstilts.core import paths
from xstilts.core.errors import UserError
from xstilts.core.params import Params
from xstilts.results import inference, scores
from xstilts.results.samples import Sample, measure
from xstilts.results.scores import Group, Run, ScoreRow
from xstilts.results.summary import Target

TOLERANCE = 1e-3  # points between a score and what its examples add up to


def run_folders(params: Params) -> dict[str, Path]:
    """Result folder of every run of the study, in the order of their names.

    Raises:
        UserError: names the runs without results and the results of no run in the study.
    """
    folders = {name: paths.transferred(params.study, name) for name in sorted(params.transfer)}
    missing = [name for name, folder in folders.items() if not folder.is_dir()]
    root = paths.transferred(params.study, "x").parent
    present = sorted(path.name for path in root.iterdir() if path.is_dir()) if root.is_dir() else []
    stray = [name for name in present if name not in folders and not name.startswith(".")]
    if missing or stray:
        faults = [f"{word}: {', '.join(names)}" for word, names in _named(missing, stray) if names]
        raise UserError(
            f"{root} and the study {params.study} differ; {'; '.join(faults)}."
            " Mend: `dvc repro` makes what is missing; delete results of runs not in the study"
        )
    return folders


def _named(missing: list[str], stray: list[str]) -> list[tuple[str, list[str]]]:
    return [("runs without results", missing), ("results of no run in the study", stray)]


def read_scores(params: Params, folders: Mapping[str, Path]) -> list[ScoreRow]:
    """All score rows, each expected cell exactly once.

    Raises:
        UserError: names missing and double cells, and two runs with one setting and seed.
    """
    rows = [row for folder in folders.values() for row in scores.from_json(folder / "scores.json")]
    expected = [
        (name, target, language)
        for name in params.transfer
        for target, spec in params.targets_of(name).items()
        for language in spec.languages
    ]
    scores.check_cells(rows, expected)
    owners: dict[tuple[Group, int], str] = {}
    for row in rows:
        one = run_of(row)
        owner = owners.setdefault((one.group, one.seed), one.name)
        if owner != one.name:
            raise UserError(
                f"runs {owner} and {one.name} are one cell: {one.group.label}, seed {one.seed}."
                " Mend: keep one of them in the study"
            )
    return rows


def run_of(row: ScoreRow) -> Run:
    """The run that a score row belongs to."""
    return Run(row.run, scores.group_of(row), row.seed)


def targets(params: Params, rows: Sequence[ScoreRow]) -> Iterator[Target]:
    """The study's targets, in its order, with the name of their main metric."""
    for name, spec in params.targets.items():
        metric = next((row.metric for row in rows if row.main and row.target == name), None)
        if metric is not None:
            yield Target(name, spec.source_language, metric, spec.chance)


def read_cells(
    params: Params,
    target: Target,
    folders: Mapping[str, Path],
    rows: Sequence[ScoreRow],
    translated: bool,
) -> dict[str, Sample]:
    """All runs on one target: language -> sample.

    Args:
        translated: whether its languages have the same rows; see `aligned`.

    Raises:
        UserError: runs were scored on different examples, or these contradict the scores.
    """
    main = {row.cell: row for row in rows if row.main and row.target == target.name}
    names = sorted({name for name, _, _ in main})
    tables = {name: _read(folders[name] / "examples.parquet", target.name) for name in names}
    languages = params.targets[target.name].languages
    ids = {language: _part(tables[names[0]], language)[0] for language in languages}
    shared = aligned(ids, translated)
    runs = [run_of(main[name, target.name, languages[0]]) for name in names]  # one for all
    cells = {}
    for language in languages:
        parts = [_part(tables[name], language) for name in names]
        scored = [main[name, target.name, language] for name in names]
        for row, part in zip(scored, parts, strict=True):
            _check_part(row, part, parts[0], names[0])
        cells[language] = measure(
            runs,
            np.stack([num for _, num, _ in parts]),
            np.stack([den for _, _, den in parts]),
            [row.collapsed for row in scored],
            [row.expected for row in scored],
            *shared.get(language, (None, 0)),
        )
    return cells


def aligned(ids: Mapping[str, Any], translated: bool) -> dict[str, tuple[Any, int]]:
    """Which languages have examples in common, as translations of each other have.

    Equal ids are one example where they are names. A row's number in its own file is none, but
    where a task is known to have the same rows in each language.

    Args:
        ids: language -> those of its examples.
        translated: a number, too, is one example in all languages.

    Returns:
        Language -> (place of each of its examples among all that are shared, how many these are);
        without the languages that share none.
    """
    names = (one for own in ids.values() for one in own.tolist())
    met = Counter(one for one in names if translated or not one.isdigit())
    together = {
        language: own for language, own in ids.items() if any(met[one] > 1 for one in own.tolist())
    }
    if not together:
        return {}
    union = np.unique(np.concatenate(list(together.values())).astype(str))
    return {
        language: (np.searchsorted(union, own.astype(str)), len(union))
        for language, own in together.items()
    }


def _read(path: Path, target: str) -> dict[str, Any]:
    """Columns of one target's examples, sorted by language and id."""
    columns = ["language", "id", "num", "den"]
    try:
        table = pq.read_table(path, columns=columns, filters=[("target", "=", target)])
    except (OSError, pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        reason = str(error).splitlines()[0]
        raise UserError(
            f"{path} is missing or unreadable ({reason}). Mend: `git checkout` it, or delete its"
            " folder and `dvc repro`"
        ) from error
    table = table.sort_by([("language", "ascending"), ("id", "ascending")])
    return {name: table[name].to_numpy() for name in columns}


def _part(table: Mapping[str, Any], language: str) -> tuple[Any, Any, Any]:
    """(ids, num, den) of one language, in the order of the ids."""
    chosen = table["language"] == language
    return table["id"][chosen], table["num"][chosen], table["den"][chosen]


def _check_part(row: ScoreRow, part: Any, first: Any, first_run: str) -> None:
    """See that one run's examples fit its score and those of the other runs."""
    ids, num, den = part
    cell = "/".join(row.cell)
    mend = "Mend: delete the run's results and `dvc repro`"
    if len(set(ids.tolist())) != len(ids):
        raise UserError(f"examples of {cell} have an id twice. {mend}")
    if not np.array_equal(ids, first[0]):
        raise UserError(
            f"examples of {cell} are others than those of run {first_run}."
            " Mend: delete the results of both runs and `dvc repro`"
        )
    if len(ids) != row.n or not np.all(np.isfinite(num)) or not np.all(np.isfinite(den)):
        raise UserError(
            f"examples of {cell} are {len(ids)}, scores say {row.n}; or a value is"
            f" not finite. {mend}"
        )
    found = inference.score(num, den)
    if abs(found - row.value) > TOLERANCE:
        raise UserError(
            f"examples of {cell} add up to {found:.4f}, the score is {row.value:.4f}. {mend}"
        )
