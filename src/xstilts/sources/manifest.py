"""manifest.json of a fetched data set: every file with sha256, bytes and rows. Written last."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from xstilts.core import files
from xstilts.core.errors import UserError
from xstilts.sources import raw

NAME = "manifest.json"


def write(folder: Path, dataset: str, revision: str | None, licence: str | None) -> dict[str, Any]:
    """Describe what lies in a data folder; its presence says that the folder is complete.

    Raises:
        UserError: a data file is corrupt.
    """
    listed: dict[str, dict[str, Any]] = {}
    for path in sorted(one for one in folder.rglob("*") if one.is_file() and one.name != NAME):
        listed[path.relative_to(folder).as_posix()] = {
            "sha256": files.sha256_file(path),
            "bytes": path.stat().st_size,
            "rows": _rows(path, folder, dataset),
        }
    value = {"dataset": dataset, "revision": revision, "licence": licence, "files": listed}
    files.write_json(folder / NAME, value)
    return value


def _rows(path: Path, folder: Path, dataset: str) -> int | None:
    """Rows of a file; an error names it by its data set, as the folder is a draft that goes."""
    try:
        return raw.count(path)
    except UserError as error:
        raise UserError(str(error).replace(str(folder), dataset)) from error


def verify(folder: Path) -> dict[str, Any]:
    """Compare a fetched folder with its manifest.

    Returns:
        The manifest.

    Raises:
        UserError: a file is missing or has other bytes than when it was fetched; names it.
    """
    path = folder / NAME
    if not path.exists():
        raise UserError(f"{path} is missing. Mend: run `fetch` (`dvc repro` or `dvc pull` do)")
    value: dict[str, Any] = files.read_json(path)
    try:
        listed = {str(name): str(facts["sha256"]) for name, facts in value["files"].items()}
    except (TypeError, KeyError, AttributeError) as error:
        raise UserError(
            f"{path} is no manifest ({type(error).__name__}: {error}). "
            f"Mend: delete {folder} and run `fetch` again"
        ) from error
    for name, sha256 in listed.items():
        file = folder / name
        if not file.is_file():
            raise UserError(f"{file} is missing. Mend: delete {folder} and run `fetch` again")
        found = files.sha256_file(file)
        if found != sha256:
            raise UserError(
                f"{file}: sha256 {found[:12]}... differs from {path} ({sha256[:12]}...). "
                f"Mend: delete {folder} and run `fetch` again"
            )
    return value
