"""What people copy from pages and messages works: the documented study, every command."""

import re
from pathlib import Path

import typer
import yaml

from xstilts import cli
from xstilts.claims import entries
from xstilts.core.strict import parse
from xstilts.study.compiler import compile_study
from xstilts.study.schema import Study


def test_the_documented_study_compiles(root: Path) -> None:
    """An option that was renamed would be found by a reader, an hour later."""
    text = (root / "docs/studies.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"```yaml\n(.*?)```", text, re.S)
    study = parse(Study, yaml.safe_load(block), "docs/studies.md", "mend the page")
    compiled = compile_study(study, "docs/studies.md")
    assert {spec["method"] for spec in compiled["transfer"].values()} == {
        *("none", "single", "shuffled", "multi", "mlm"),
    }
    assert not compiled["left_out"]


def test_the_documented_claims_are_read(root: Path, tmp_path: Path) -> None:
    """The vocabulary that is described is the one that there is."""
    text = (root / "docs/claims.md").read_text(encoding="utf-8")
    path = tmp_path / "claims.yaml"
    path.write_text("".join(re.findall(r"```yaml\n(.*?)```", text, re.S)), encoding="utf-8")
    claims = entries.load(path)
    keys = {*entries.Claim.model_fields, *entries.Check.model_fields, *entries.Bounds.model_fields}
    keys |= {*entries.Settings.model_fields, *entries.Setup.model_fields}
    assert [one for one in keys if f"`{one}`" not in text] == []
    assert len(claims) >= 3


def test_every_command_that_is_named_exists(root: Path) -> None:
    """A mend that names a verb of the past helps nobody. (CHANGELOG.md tells of that past.)"""
    verbs = _verbs(typer.main.get_command(cli.app))
    pages = [*root.glob("*.md"), *root.glob("d*/*.md"), *root.glob("*.yaml"), root / "Makefile"]
    files = [*root.glob("src/**/*.py"), *(page for page in pages if page.name != "CHANGELOG.md")]
    dead = [
        f"{path.relative_to(root)}: xstilts {word} {second}"
        for path in files
        for word, second in re.findall(
            r"(?m)(?:`|^\s*@?)xstilts ([a-z]+) ?([a-z]*)", path.read_text("utf-8")
        )
        if word not in verbs or (verbs[word] and second not in verbs[word])
    ]
    assert not dead, dead


def _verbs(group: typer.core.TyperGroup) -> dict[str, set[str]]:
    """Verb -> the verbs below it, if any."""
    return {name: set(getattr(one, "commands", ())) for name, one in group.commands.items()}
