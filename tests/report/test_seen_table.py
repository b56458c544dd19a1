"""The report of a study whose encoder has seen its targets says so; any other is as it was."""

from __future__ import annotations

import re
from pathlib import Path

import fake_study
import pytest

from xstilts import tasks
from xstilts.core.params import Params, Pretrain, SeenSet
from xstilts.core.progress import Observe
from xstilts.report import main_table, page, tables
from xstilts.report.data import Results, load
from xstilts.report.notes import notes
from xstilts.report.words import answer, support
from xstilts.stages import aggregate

QUIET = Observe(quiet=True)
LANGUAGES = {
    "xnli": "en sw",
    "xquad": "en th",
    "mlqa": "en de",
    "paws_x": "en ko",
    "tydiqa": "en te",
}
E5 = "intfloat/multilingual-e5-small"


def study(model: str | None, seen: list[SeenSet] | None = None) -> Params:
    """Five targets in two languages each, two intermediate tasks; no model: one from scratch."""
    whole = fake_study.large(best=False)
    runs = {
        name: run
        for name, run in whole.transfer.items()
        if run.method == "none" or (run.task in ("mnli", "squad_v1") and run.size == 1000)
    }
    targets = {
        name: whole.targets[name].model_copy(
            update={"languages": languages.split(), "split": tasks.load(name).evaluation}
        )
        for name, languages in LANGUAGES.items()
    }
    pretrain = Pretrain(source="hub" if model else "scratch", reads="x", model=model)
    intermediate = {name: one for name, one in whole.intermediate.items() if name in runs}
    changed = {"pretrain": pretrain, "seen": seen, "targets": targets, "transfer": runs}
    return whole.model_copy(update={**changed, "intermediate": intermediate})


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the aggregate of the study, which is the same whatever the encoder."""
    folder = tmp_path_factory.mktemp("seen")
    root = Path(__file__).parents[2]
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        (folder / "references.yaml").write_bytes((root / "references.yaml").read_bytes())
        fake_study.write(study(None), examples=400)
        aggregate.run(study(None), "fake", QUIET)
    return folder


def results(folder: Path, model: str | None, seen: list[SeenSet] | None = None) -> Results:
    """The study's results as if its encoder had been this one."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        return load(study(model, seen), Path("results/aggregate/fake"))


def test_the_head_says_zero_shot_only_with_its_mark(built: Path) -> None:
    """A score on rows that were trained on is no zero-shot score, whatever the design."""
    sentences = answer(results(built, E5))
    for sentence in sentences:
        assert not re.search("zero-shot(?!‡| in the strict sense)", sentence), sentence
    assert any("zero-shot‡" in sentence for sentence in sentences)
    # not on XNLI, which xP3 holds out
    start = "‡ Not zero-shot in the strict sense on xquad, mlqa, paws_x and tydiqa: intfloat/"
    assert sentences[-1].startswith(start)
    assert "has seen before rows" in sentences[-1]
    assert "may have seen before rows" in answer(results(built, "jhu-clsp/mmBERT-base"))[-1]


def test_the_tables_mark_targets_and_name_sets_and_sources(built: Path) -> None:
    """Beside the leaks, with what a reader needs to check it."""
    found = results(built, E5)
    made = tables.build(found)
    rows = {(one["use"], one["task"], one["set"]): one for one in made["seen"].records}
    row = rows["target", "xquad", "xquad"]
    assert (row["tie"], row["splits"], row["status"]) == ("same", "validation", "reported")
    assert "2402.05672" in row["source"]
    assert rows["target", "xnli", "mnli"]["tie"] == "collection"
    assert rows["intermediate", "squad_v1", "squad_v1"]["tie"] == "same"
    assert "xquad‡" in made["deltas"].header
    assert "xnli" in made["deltas"].header
    assert made["deltas"].caption.endswith("in languages that are scored.")
    text = page.render(found, [], made)
    assert "<h3>Seen before</h3>" in text
    assert "tables/seen.csv" in text
    latex = main_table.latex(found)
    assert r"XQuAD$\ddagger$" in latex
    assert "‡" not in latex
    assert any("are not without these" in one for one in support(found))


@pytest.mark.parametrize("model", ["FacebookAI/xlm-roberta-large", None])
def test_an_encoder_without_labels_changes_no_sentence_and_no_table(
    model: str | None, built: Path
) -> None:
    """The demo's bytes, among others, stay as they are."""
    found = results(built, model)
    made = tables.build(found)
    assert "seen" not in made
    assert "Seen before" not in page.render(found, [], made).replace("<dt>Seen before</dt>", "")
    assert "‡" not in page.render(found, [], made) + main_table.latex(found)
    assert answer(found)[0].count("zero-shot") == 1


def test_the_notes_tell_what_an_encoder_read(built: Path) -> None:
    """Text alone, with its source; sets, with those that matter here; or that it is not known."""
    told = {name: dict(notes(results(built, name))).get("Seen before") for name in (E5, "org/name")}
    alone = dict(notes(results(built, "FacebookAI/xlm-roberta-large")))["Seen before"]
    assert "CommonCrawl" in alone
    assert alone.endswith("no labelled set.")
    assert "SQuAD 1.1" in str(told[E5])
    assert "table “seen”" in str(told[E5])
    assert "org/name was trained on is not known here" in str(told["org/name"])
    assert "Seen before" not in dict(notes(results(built, None)))
    own = dict(notes(results(built, "org/name", [SeenSet(set="mlqa")])))["Seen before"]
    assert "MLQA" in own
    assert "table “seen”" in own
