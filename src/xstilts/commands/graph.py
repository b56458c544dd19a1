"""The stages of a study as DVC has them: its own graph, and what it finds changed in it."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from xstilts.core import files, flow, paths
from xstilts.core.errors import UserError
from xstilts.core.params import Params
from xstilts.records import code

LOCK = Path("dvc.lock")
GONE = ("deleted", "not in cache")  # DVC's words for what is not here
CODE = "code"  # the stage that hashes code: what follows it depends on hashes alone
Changes = dict[str, list[Any]]
# What DVC names where it cannot read a project -> the mend; the first that fits.
MENDS = {
    "design.json": "`xstilts study use`",
    "dvc.lock": "settle its conflict, or restore it with git",
    "pipelines/": "`xstilts study use`",
    "dvc.yaml": "restore it with git",
    "not a git repository": "`git init`, or without git `dvc config --local core.no_scm true`",
    "not inside of a DVC repository": "`dvc init`",
}


@dataclass(frozen=True)
class Cell:
    """One stage of a study, with what decides its outputs.

    Args:
        signature: sha256 of its command, of the files that it reads and no stage makes, and of the
            signatures of the stages that it reads from.
        after: the stages that it reads from.
        sources: the files that it reads and no stage makes -> sha256.
        changed: whether DVC finds that its lock is not what is there now.
    """

    name: str
    command: str
    signature: str
    after: tuple[str, ...]
    sources: dict[str, str]
    outputs: tuple[str, ...]
    changed: bool

    @property
    def word(self) -> str:
        """The word of its stage."""
        return self.name.partition("@")[0]


def cells(loaded: Params, runs: Iterable[str] | None = None) -> int:
    """Scores of some runs, or of all: runs x targets x languages."""
    chosen = loaded.transfer if runs is None else runs
    return sum(len(one.languages) for run in chosen for one in loaded.targets_of(run).values())


def keys(loaded: Params, word: str) -> list[str]:
    """The runs of a stage."""
    return [loaded.study] if word in flow.SINGLE else list(getattr(loaded, word))


def stage_name(study: str, word: str, key: str) -> str:
    """A stage as DVC names it: transfer@demo/none-s1, pretrain@demo."""
    return f"{word}@{study}" if word in flow.SINGLE else f"{word}@{study}/{key}"


def every_stage(loaded: Params) -> set[str]:
    """All stages of a study, as DVC names them."""
    return {
        stage_name(loaded.study, word, key) for word in flow.WORDS for key in keys(loaded, word)
    }


def locks(study: str) -> list[Path]:
    """The files in which DVC records what a study's stages made."""
    return [LOCK, *sorted((paths.PIPELINES / study).glob("*/dvc.lock"))]


def pending(loaded: Params) -> set[str]:
    """Stages that `dvc repro` would run: those changed or never run, and all that follow them.

    An upper bound: where a stage makes what it made before, those that follow do not run.

    Raises:
        UserError: DVC cannot read the project.
    """
    if not ever_run(loaded.study):  # DVC would look at each of them
        return every_stage(loaded)
    with _repo() as repo:
        return {_name(stage.addressing) for stage in _reached(repo, set(_status(repo)))}


def begin() -> None:
    """Have DVC know the code that stages run: they are asked for after that.

    Raises:
        UserError: DVC cannot read the project.
    """
    code.write()
    record([CODE])


def ready(
    loaded: Params,
    chosen: Collection[str] = (),
    allow_missing: bool = False,
    running: Collection[str] = (),
) -> dict[str, str]:
    """Stages that have changed and wait for no other one -> their commands.

    Args:
        chosen: only these and what they read from; none: all.
        allow_missing: an output that is not here is as dvc.lock tells, and made only where a stage
            reads it that has to run.
        running: stages that run now: others may wait for them.

    Raises:
        UserError: DVC cannot read the project.
    """
    import networkx

    with _repo() as repo:
        changed, graph = _changed_beside(running, repo, loaded, allow_missing), repo.index.graph
        work = _reached(repo, changed.union(running))
        if chosen:
            named = [stage for stage in graph if _name(stage.addressing) in chosen]
            read = (networkx.descendants(graph, stage) for stage in named)  # edges go to these
            work &= set(named).union(*read)
        if allow_missing:
            work |= _gone(graph, work)
        first = (stage for stage in _in_order(graph) if stage in work)
        free = {
            _name(stage.addressing): str(stage.cmd)
            for stage in first
            if work.isdisjoint(graph.successors(stage))
        }
    return {name: command for name, command in free.items() if name not in running}


def _changed_beside(
    running: Collection[str], repo: Any, loaded: Params, allow_missing: bool
) -> set[str]:
    """As `_changed`, asked again where a stage put its output in place while DVC read there."""
    for _ in running:
        try:
            return _changed(repo, loaded, allow_missing)
        except (OSError, UserError):
            time.sleep(1)
    return _changed(repo, loaded, allow_missing)


def _in_order(graph: Any) -> list[Any]:
    """Stages, those first that others read from; edges go to the stages that one reads from."""
    import networkx

    return list(reversed(list(networkx.topological_sort(graph))))


def _reached(repo: Any, changed: set[str]) -> set[Any]:
    """Changed stages and all that follow them."""
    graph, reached = repo.index.graph, set[Any]()
    for stage in _in_order(graph):
        if _name(stage.addressing) in changed or not reached.isdisjoint(graph.successors(stage)):
            reached.add(stage)
    return reached


def _gone(graph: Any, work: Iterable[Any]) -> set[Any]:
    """Stages whose outputs are not here and are read by others that have to run, or by these."""
    found, todo = set[Any](), list(work)
    while todo:
        stage = todo.pop()
        for maker in graph.successors(stage):
            if maker not in found and _missing(maker, [one.fs_path for one in stage.deps]):
                found.add(maker)
                todo.append(maker)
    return found


def _missing(maker: Any, read: Iterable[str]) -> bool:
    """Whether an output of a stage that is in what another reads, or around it, is not here."""
    gone = [Path(out.fs_path) for out in maker.outs if not Path(out.fs_path).exists()]
    return any(_overlap(Path(path), out) for path in read for out in gone)


def record(names: Sequence[str]) -> None:
    """`dvc commit -f` of some stages: outputs go to DVC's cache, and dvc.lock tells of them.

    As DVC's command does, but with one reading of the project and one writing of each lock.

    Raises:
        UserError: DVC cannot do it.
    """
    from dvc.repo import lock_repo

    made: dict[str, list[Any]] = {}
    with _repo("dvc commit") as repo, lock_repo(repo):
        _ask_git_once(repo)
        stages = {_name(stage.addressing): stage for stage in repo.index.stages}
        for stage in (stages[name] for name in names):
            stage.save()
            stage.commit()
            made.setdefault(stage.path, []).append(stage)
        for some in made.values():
            _tell(some[0].dvcfile, some)


def _tell(file: Any, stages: Sequence[Any]) -> None:
    """Write what stages are now into a lock that says otherwise: a long one takes seconds."""
    from dvc.stage.serialize import to_lockfile

    known: dict[str, Any] = file.lockfile_contents.get("stages", {})
    if new := [one for one in stages if known.get(one.name) != to_lockfile(one)[one.name]]:
        file.dump_stages(new, update_pipeline=False)


def _ask_git_once(repo: Any) -> None:
    """Keep what git tracks: DVC reads git's whole index for each output, to refuse a tracked one.

    A study's design and provenance are in git, so that it has as many files as there are outputs.
    """
    from scmrepo.git import Git

    if isinstance(scm := repo.scm, Git):
        tracked = {Path(os.fsdecode(name)) for name in scm.dulwich.repo.open_index()}
        tracked |= {folder for path in tracked for folder in path.parents}
        scm.is_tracked = lambda path: Path(os.path.relpath(path, scm.root_dir)) in tracked


def status() -> Changes:
    """`dvc status`: stage -> what of it has changed.

    Raises:
        UserError: DVC cannot read the project.
    """
    with _repo() as repo:
        return _status(repo)


def signed(loaded: Params) -> list[Cell]:
    """All stages of a study, those first that others read from.

    Raises:
        UserError: DVC cannot read the project.
    """
    code.write()  # as `dvc repro` does first
    found: dict[str, Cell] = {}
    hashes = _Hashes()
    with _repo() as repo:
        changed, graph = _changed(repo, loaded), repo.index.graph
        for stage in _in_order(graph):
            name = _name(stage.addressing)
            if name != CODE:
                reads = sorted({_name(one.addressing) for one in graph.successors(stage)} - {CODE})
                before = [found[one] for one in reads]
                found[name] = _cell(name, stage, before, name in changed, hashes)
    return list(found.values())


class _Hashes(dict[Path, str]):
    """Files and their sha256; many stages read the same."""

    def __missing__(self, path: Path) -> str:
        return self.setdefault(path, files.sha256_file(path))


def _cell(
    name: str, stage: Any, reads: Sequence[Cell], changed: bool, hashes: dict[Path, str]
) -> Cell:
    """A stage with its signature, from the signatures of those that it reads from."""
    made = [Path(output) for one in reads for output in one.outputs]
    params: dict[str, Any] = {}
    sources: dict[str, str] = {}
    for dependency in stage.deps:
        path = Path(os.path.relpath(dependency.fs_path))
        if hasattr(dependency, "read_params"):  # of a file, which holds more, some keys alone
            params[str(path)] = dependency.read_params(flatten=True)
        elif not any(_overlap(path, output) for output in made):
            sources |= {str(one): hashes[one] for one in _files(path)}
    before = {one.name: one.signature for one in reads}
    signature = files.sha256_json([str(stage.cmd), params, sources, before])
    outputs = tuple(os.path.relpath(one.fs_path) for one in stage.outs)
    return Cell(name, str(stage.cmd), signature, tuple(before), sources, outputs, changed)


def _overlap(one: Path, other: Path) -> bool:
    """Whether two paths are the same, or one is in the other."""
    return one == other or one in other.parents or other in one.parents


def _files(path: Path) -> list[Path]:
    return sorted(one for one in path.rglob("*") if one.is_file()) if path.is_dir() else [path]


def linked() -> bool:
    """Whether an output and DVC's copy of it are one file on the disk, as configured and possible.

    False, too, where there is no DVC project yet that could tell.
    """
    from dvc_objects.fs.generic import test_links

    with suppress(UserError), _repo() as repo:
        cache = repo.cache.local
        wanted = [kind for kind in cache.cache_types if kind != "copy"]
        Path(cache.path).mkdir(parents=True, exist_ok=True)
        beside = repo.fs.join(repo.root_dir, "output")  # tried under another name in this folder
        return bool(test_links(wanted, cache.fs, cache.path, repo.fs, beside))
    return False


def _changed(repo: Any, loaded: Params, allow_missing: bool = False) -> set[str]:
    """Stages that are not as their lock says; DVC need not look where none was ever run."""
    if not ever_run(loaded.study):
        return every_stage(loaded)
    found = _status(repo)
    if allow_missing:
        stages = {_name(stage.addressing): stage for stage in repo.index.stages}
        return {name for name, what in found.items() if not _is_only_gone(stages[name], what)}
    return set(found)


def _is_only_gone(stage: Any, changes: Sequence[Any]) -> bool:
    """Whether all that DVC finds changed in a stage is that files are not here.

    A folder that several stages fill is not here as long as one of their outputs is not.
    """
    if not all(out.hash_info for out in stage.outs):  # never recorded
        return False
    if not all(isinstance(change, dict) for change in changes):  # its command is another
        return False
    here = [
        Path(stage.repo.root_dir, path)
        for change in changes
        for paths_found in change.values()
        for path, how in paths_found.items()
        if how not in GONE
    ]
    return all(_has_holes(stage.repo, path) for path in here)


def _has_holes(repo: Any, folder: Path) -> bool:
    """Whether an output that belongs in a folder is not here."""
    outputs = (Path(out.fs_path) for stage in repo.index.stages for out in stage.outs)
    return any(folder in path.parents and not path.exists() for path in outputs)


def _status(repo: Any) -> Changes:
    from dvc.exceptions import DvcException

    code.write()  # as `dvc repro` does first
    try:
        found = {_name(name): changes for name, changes in repo.status().items()}
    except DvcException as error:
        raise _refused(error) from error
    found.pop(CODE, None)
    return found


@contextmanager
def _repo(command: str = "dvc status") -> Iterator[Any]:
    """DVC's view of this project; what DVC refuses while it is looked at is told in one line."""
    from dvc.exceptions import DvcException
    from dvc.repo import Repo

    for library in ("dvc", "dvc_data", "dvc_objects"):  # their bars would break ours,
        logging.getLogger(library).setLevel(logging.CRITICAL)  # and what is wrong our line tells
    try:
        with Repo() as repo:
            yield repo
    except DvcException as error:
        raise _refused(error, command) from error


def _refused(error: Exception, command: str = "dvc status") -> UserError:
    reason = " ".join(str(error).split())
    usual = f"run `{command}` by hand to see more"
    mend = next((mend for said, mend in MENDS.items() if said in reason), usual)
    return UserError(f"`{command}` failed: {reason}. Mend: {mend}")


def _name(addressing: str) -> str:
    """A stage's name without the dvc.yaml that it is in."""
    return addressing.rpartition("dvc.yaml:")[2]


def ever_run(study: str) -> bool:
    """Whether a dvc.lock holds any stage of a study."""
    # A byte that is no UTF-8 is for DVC to tell.
    texts = [path.read_text("utf-8", "replace") for path in locks(study) if path.exists()]
    return any(f"@{study}/" in text or f"@{study}:" in text for text in texts)
