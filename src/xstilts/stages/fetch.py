"""Stage `fetch`: a pinned data set -> `data/fetch/<dataset>/` with a manifest of its files.

Run by `xstilts fetch <dataset>` or `dvc repro`. Whatever the source was, the folder looks the same;
it appears whole or not at all.
"""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

from xstilts.core import files, paths
from xstilts.core.params import Params
from xstilts.core.progress import Observe, Record
from xstilts.records import record
from xstilts.sources import card, manifest, obtain


def run(params: Params, key: str, observe: Observe) -> Record:
    """Bring the data set `key` (an id with `--` for its slash).

    Raises:
        UserError: the source lacks it, cannot be reached, or has other bytes than were pinned.
    """
    spec = params.fetch[key]
    with files.output_folder(paths.fetched(params.study, spec.dataset)) as out:
        commit = obtain.dataset(spec, out, observe)
        facts = manifest.write(out, spec.dataset, commit or spec.revision, _licence(spec, out))
        metrics = {
            "files": float(len(facts["files"])),
            "bytes": float(sum(one["bytes"] for one in facts["files"].values())),
            "rows": float(sum(one["rows"] or 0 for one in facts["files"].values())),
        }
        made = record.make(
            params,
            "fetch",
            key,
            spec,
            inputs=[],
            metrics=metrics,
            artifacts=(manifest.NAME,),
        )
        files.write_json(out / "record.json", made)
    return made


def _licence(spec: object, out: Path) -> str | None:
    """The licence that the tasks give for this data set, else its card's."""
    # by name, so that a new task changes no fetched data
    tasks = import_module("xstilts.tasks").TASKS.values()
    dataset = getattr(spec, "dataset", None)
    known = dict.fromkeys(task.licence for task in tasks if task.dataset == dataset)
    return "; ".join(known) or card.licence(card.read_file(out))
