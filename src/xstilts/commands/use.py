"""`xstilts study use` compiles a study into params.yaml; `xstilts study list` names them all."""

from __future__ import annotations

import yaml
from rich.console import Console
from rich.table import Table

from xstilts.commands.graph import cells
from xstilts.core import files, params, paths
from xstilts.study import pins
from xstilts.study.compiler import compile_study
from xstilts.study.schema import read_study

HEAD = "# Compiled from {source} by `xstilts study use {name}`; edit that file, not this one.\n"


def compiled(name: str) -> str:
    """The text of params.yaml for a study."""
    source = paths.study_file(name)
    content = compile_study(read_study(name), source, pins.load())
    body = yaml.dump(content, Dumper=_NoAliases, sort_keys=False, allow_unicode=True, width=100)
    return HEAD.format(source=source, name=name) + body


class _NoAliases(yaml.SafeDumper):
    """Repeats values instead of `*id001`: the file is read by people and by DVC's templates."""

    def ignore_aliases(self, data: object) -> bool:
        return True


def use(name: str) -> None:
    """Compile a study into params.yaml, whole or not at all."""
    files.write_bytes(paths.PARAMS, compiled(name).encode())
    loaded = params.load()
    Console().print(
        f"params.yaml is now the study [bold]{name}[/]: {len(loaded.transfer)} runs, "
        f"{cells(loaded)} cells. Next: `xstilts plan`, then `dvc repro`.",
        highlight=False,
        soft_wrap=True,
    )


def show_studies() -> None:
    """Names and titles of studies/, the one in use marked."""
    used = params.load().study if paths.PARAMS.exists() else None
    table = Table("", "study", "title", box=None)
    for path in sorted(paths.STUDIES.glob("*.yaml")):
        study = read_study(path.stem)
        table.add_row("*" if path.stem == used else "", path.stem, study.title)
    Console().print(table)
