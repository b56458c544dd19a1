"""The documented study file is one: what people copy must compile."""

import re
from pathlib import Path

import yaml

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
