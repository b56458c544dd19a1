"""A licensed data set in the user's own folder: its files are copied, nothing is downloaded.

The folder is named by an environment variable (`place: $XSTILTS_CCG`); which files it has to hold,
and how to get them, stands in the tasks that read it.
"""

from __future__ import annotations

import os
import re
import shutil
from importlib import import_module
from pathlib import Path
from typing import Any

from xstilts.core.errors import UserError
from xstilts.core.progress import Observe

VARIABLE = re.compile(r"\$\{?(\w+)\}?")


def obtain(spec: Any, target: Path, observe: Observe) -> None:
    """Copy the files that the tasks of a data set name into the empty folder `target`.

    Args:
        spec: `dataset` and `place`; a section of the params.

    Raises:
        UserError: the variable is not set, there is no such folder, or it lacks a file.
    """
    # by name, as for the licence: a new task changes no fetched data
    tasks = [
        task
        for task in import_module("xstilts.tasks").TASKS.values()
        if task.dataset == spec.dataset and task.place
    ]
    how = next((task.obtain for task in tasks if task.obtain), "")
    folder = _folder(spec, f"{how} " if how else "")
    wanted = {
        name
        for task in tasks
        for split in task.members
        for language in (*task.languages, *task.train_languages)
        for name in task.inside(language, split)
    }
    with observe.progress(f"copy {spec.dataset}", len(wanted)) as advance:
        for name in sorted(wanted):
            source, copy = folder / name, target / name
            if not source.is_file():
                have = ", ".join(sorted(wanted))
                raise UserError(
                    f"{spec.dataset}: {folder} lacks {name}. {how} Mend: put there: {have}"
                )
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, copy)
            advance(1)


def _folder(spec: Any, how: str) -> Path:
    """The user's folder."""
    text = os.path.expandvars(os.path.expanduser(spec.place or ""))
    unset = VARIABLE.search(text)
    if unset:
        raise UserError(
            f"{spec.dataset} is licensed and comes from your own folder, but {unset[1]} is not "
            f"set. {how}Mend: export {unset[1]}=<folder with its files>, or leave its task out"
        )
    folder = Path(text)
    if not text or not folder.is_dir():
        raise UserError(
            f"{spec.dataset}: there is no folder {text or '(empty)'} (from {spec.place}). "
            f"{how}Mend: name the folder with its files"
        )
    return folder
