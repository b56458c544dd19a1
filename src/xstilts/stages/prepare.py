"""Stage `prepare`: raw files -> `<language>.<split>.parquet` in the schema of the task's kind.

Run by `xstilts prepare <task>` or `dvc repro`. Raw files are compared with their manifest first.
Beside the rows: `statistics/<study>/<key>.json`, counts and a leak check, meant for git.
"""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any

from xstilts.core import files, paths
from xstilts.core.errors import UserError
from xstilts.core.params import Params, Prepare
from xstilts.core.progress import Observe, Record
from xstilts.kinds.spec import KINDS
from xstilts.records import record
from xstilts.rows import leaks, read
from xstilts.rows.counts import describe, own_leaks
from xstilts.sources import manifest
from xstilts.tasks.base import Split, Task

ORDER: tuple[Split, ...] = ("train", "validation", "test", "candidates")


def run(params: Params, key: str, observe: Observe) -> Record:
    """Prepare one task; `key` is its name, or marks a second use of it (text to pretrain on).

    Raises:
        UserError: raw data is missing or changed, or a row is not valid (names file and row).
    """
    spec = params.prepare[key]
    # by name, so that a new task does not prepare the others again
    task: Task = import_module("xstilts.tasks").load(spec.task)
    fetched = Path(spec.fetched)
    facts = manifest.verify(fetched)
    with files.output_folder(Path(spec.out)) as out:
        counts = _prepare(task, spec, out, observe)
        made = record.make(
            params,
            "prepare",
            key,
            spec,
            inputs=[fetched / manifest.NAME],
            metrics={
                f"rows.{split}.{language}": float(one["rows"])
                for split, languages in counts["splits"].items()
                for language, one in languages.items()
            },
        )
        files.write_json(out / "record.json", made)
    source = {name: facts[name] for name in ("dataset", "revision", "licence")}
    languages = sorted({one for listed in spec.splits.values() for one in listed})
    source |= {"releases": task.released(languages)} if task.releases else {}
    files.write_json(
        paths.statistics(params.study, key),
        {"task": task.name, "kind": task.kind, **source, **counts},
    )
    return made


def _prepare(task: Task, spec: Prepare, out: Path, observe: Observe) -> dict[str, Any]:
    """Write the parquet files; give the statistics."""
    counts: dict[str, Any] = {"splits": {}}
    sheets: dict[Split, dict[str, leaks.Sheet]] = {}
    task, kind = read.labelled(task, Path(spec.fetched)), KINDS[task.kind]
    leaky = kind.scored is not None and "train" in spec.splits
    wanted = [(split, language) for split in ORDER for language in spec.splits.get(split, ())]
    with observe.progress(f"prepare {task.name}", len(wanted)) as advance:
        for split, language in wanted:
            rows = read.read_split(task, Path(spec.fetched), language, split)
            if not rows.rows:
                raise UserError(
                    f"{spec.fetched} has no {split} rows of {task.name} in {language!r}. "
                    "Mend: leave that language or split out of the study"
                )
            path = paths.rows(out, language, split)
            files.write_parquet(path, rows.table(task.kind))
            counts["splits"].setdefault(split, {})[language] = describe(task, rows)
            if leaky and split != "candidates":
                sheet = leaks.sheet(path, rows.rows, kind.whole)
                sheets.setdefault(split, {})[language] = sheet
            advance(1)
    return {**counts, "leaks": own_leaks(sheets)}
