"""`xstilts study use` compiles a study for DVC; `xstilts study list` names those at hand."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from xstilts.benchmarks import seen
from xstilts.commands.graph import cells
from xstilts.core import design, files, paths
from xstilts.core.design import InUse
from xstilts.core.errors import UserError
from xstilts.study import dvc_files, pins
from xstilts.study import settings as settings_file
from xstilts.study.compiler import compile_study
from xstilts.study.schema import Study, read_study

PARAMS = """\
# The study that `dvc repro` runs, and what is set otherwise here than in its file.
# `xstilts study use NAME` takes another study; `xstilts study use` compiles this one after an edit.
study: {study}
settings: {{}} # over those of {file}, as in {{training: {{learning_rate: 1.0e-3}}}}
"""


def use(name: str | None) -> None:
    """Compile a study, or the one in use again, into design/ and design.json.

    Raises:
        UserError: there is no such study, it does not compile, params.yaml holds settings of
            another one, or the disk is full or forbidden. Then the study in use is as it was.
    """
    used = _used(name)
    name = name or used.study
    settings = used.settings if used.study == name else {}
    study = read_study(name, settings)
    content = _compiled(study)
    design.write(content, settings)
    dvc_files.write(content)
    settings_file.write(study, content)
    if used.study != name:  # last: the study that was in use is so until all of this one is there
        text = PARAMS.format(study=name, file=paths.study_file(name))
        files.write_bytes(paths.PARAMS, text.encode())
    loaded = design.load(name)
    console = Console(soft_wrap=True)
    for line in seen.lines(loaded):
        console.print(line, highlight=False, markup=False)
    console.print(
        f"the study in use is [bold]{name}[/]: {len(loaded.transfer)} runs, "
        f"{cells(loaded)} cells. Next: `xstilts plan`, then `dvc repro`.",
        highlight=False,
    )


def compiled(name: str, settings: dict[str, Any] | None = None) -> dict[str, Any]:
    """The params of a study, with settings over those of its file."""
    return _compiled(read_study(name, settings))


def _compiled(study: Study) -> dict[str, Any]:
    return compile_study(study, paths.study_file(study.study), pins.load())


def _used(name: str | None) -> InUse:
    """What params.yaml says; nothing where it is missing or empty, if a study is named."""
    if name is not None and design.blank():
        return InUse.model_construct(study="", settings={})
    used = design.in_use()
    if name not in (None, used.study) and used.settings:
        raise UserError(
            f"{paths.PARAMS} holds settings of the study {used.study}, which would be lost. Mend: "
            f"move them to {paths.study_file(used.study)}, or empty `settings`"
        )
    return used


def show_studies() -> None:
    """Names and titles of studies/, the one in use marked."""
    used = None if design.blank() else design.in_use().study
    table = Table("", "study", "title", box=None)
    for path in sorted(paths.STUDIES.glob("*.yaml")):
        study = read_study(path.stem)
        table.add_row("*" if path.stem == used else "", path.stem, Text(study.title))
    Console().print(table)
