"""The repository as a visitor finds it: true paths, short files that explain themselves."""

import ast
import re
import subprocess
from pathlib import Path

import pytest

# Made by a run, or by people for themselves; the README may name what a fresh clone lacks.
MADE = ("data/", "models/", "results/", "report/", "mlruns/", ".state/", "machine.yaml", ".venv")
# Words of the place where this was written, and hosts of package registries: neither is of use to
# a reader. (Classes of one letter, so that the patterns do not find themselves.)
FORBIDDEN = re.compile(
    r"[.][.]/share[d]|/wor[k]/|pypi[.]or[g]|pythonhoste[d]|anaconda[.]or[g]|npmjs[.]or[g]"
)
ALLOWED = (".ci/run",)
NO_TEXT = (".png", ".svg", ".parquet", ".safetensors", ".db", ".lock", ".pdf", ".gz")


def tracked(root: Path) -> list[Path]:
    """Files in git, and those that would be added; relative to the root."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=root,
        capture_output=True,
        text=True,
        check=False,
    )
    if listed.returncode != 0:
        pytest.skip("not in a git repository, so nothing says which files belong to it")
    names = {Path(name) for name in listed.stdout.split("\0") if name}
    return sorted(name for name in names if (root / name).is_file())


def text_files(root: Path) -> list[Path]:
    return [name for name in tracked(root) if name.suffix not in NO_TEXT]


def test_nothing_names_the_place_where_it_was_written(root: Path) -> None:
    """Such a path is dead for everybody else."""
    found = [
        f"{name}:{number}: {line.strip()[:80]}"
        for name in text_files(root)
        if name.as_posix() not in ALLOWED
        for number, line in enumerate((root / name).read_text("utf-8").splitlines(), 1)
        if FORBIDDEN.search(line)
    ]
    assert not found, found


def test_forbidden_words_are_seen() -> None:
    """The pattern above must not go blind."""
    for text in ("see ../share" + "d/x", "/wor" + "k/x", "https://pypi.or" + "g/simple"):
        assert FORBIDDEN.search(text)
    for text in ("framework/x", "shared/x", "../src", "work/"):
        assert not FORBIDDEN.search(text)


def test_every_path_in_the_readme_exists(root: Path) -> None:
    """A reader who follows a dead path doubts the rest."""
    text = (root / "README.md").read_text(encoding="utf-8")
    linked = re.findall(r"\]\((?!https?:|#|mailto:)([^)\s#]+)", text)
    quoted = re.findall(r"`([\w.-]+(?:/[\w.-]+)*/?)`", text)
    named = linked + [
        one for one in quoted if "/" in one or (root / one).suffix in (".md", ".yaml")
    ]
    wanted = [one for one in named if not one.startswith(MADE) and "..." not in one]
    dead = [one for one in wanted if not _there(root, one)]
    assert not dead, dead


def _there(root: Path, name: str) -> bool:
    """A path from the root, or from the package."""
    return any((start / name).exists() for start in (root, root / "src/xstilts"))


def test_every_source_file_says_what_it_is(root: Path) -> None:
    """A file that opens without a word has to be read to be known."""
    silent = []
    for path in sorted((root / "src").rglob("*.py")):
        doc = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))
        if not doc or not (doc[0].isalnum() or doc[0] == "`"):
            silent.append(path.relative_to(root).as_posix())
    assert not silent


def test_what_a_run_makes_is_not_in_git(root: Path) -> None:
    """Data sets are not ours to hand on, and weights are large; scores and verdicts are kept."""
    names = [name.as_posix() for name in tracked(root)]
    made = [name for name in names if name.startswith(MADE)]
    scores = r"results/transfer/[^/]+/[^/]+/(scores.json|examples.parquet|record.json)"
    kept = re.compile(rf"mlruns/.gitkeep|results/aggregate/.*|{scores}|report/[^/]*[.]json")
    assert [name for name in made if not kept.fullmatch(name)] == []
    large = [name for name in names if (root / name).stat().st_size > 2_000_000]
    assert not large
