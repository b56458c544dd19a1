"""The only builder of paths. All are relative to the project root, which is the working folder.

One rule: `<root>/<stage>/<study>/<key>`, so two studies never share an output.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from xstilts.core import flow

if TYPE_CHECKING:
    from xstilts.core.params import Params

PARAMS = Path("params.yaml")
PINS = Path("pins.yaml")
DESIGN = Path("design.json")
PIPELINES = Path("pipelines")
MACHINE = Path("machine.yaml")
STUDIES = Path("studies")
STATE = Path(".state")  # resumable states, deleted on success, and kept features; no DVC output
MLRUNS = Path("mlruns")


def dataset_key(dataset: str) -> str:
    """A data set's name for DVC and the file system: `facebook/xnli` -> `facebook--xnli`."""
    return dataset.replace("/", "--")


def study_file(name: str) -> Path:
    """The short human file that a study is compiled from."""
    return STUDIES / f"{name}.yaml"


def design(study: str) -> Path:
    """All params of a study, compiled."""
    return Path("design") / f"{study}.json"


def run_design(word: str, study: str, key: str) -> Path:
    """What one run of a stage reads of them; where a study has one run of it, the study is key."""
    folder = Path("design") / word
    single = word in (*flow.SINGLE, "targets")
    return folder / f"{study}.json" if single else folder / study / f"{key}.json"


def fetched(study: str, dataset: str) -> Path:
    """Raw files of a data set in the hub's layout."""
    return Path("data/fetch") / study / dataset_key(dataset)


def prepared(study: str, role: str, task: str) -> Path:
    """Rows of a task; the roles are apart, so that a new intermediate task changes no target."""
    return Path("data/prepare") / study / role / task


def rows(folder: Path, language: str, split: str) -> Path:
    """One language's split inside a prepared folder."""
    return folder / f"{language}.{split}.parquet"


def statistics(study: str, task: str) -> Path:
    """Counts and the leak check of a prepared task; in git."""
    return Path("statistics") / study / f"{task}.json"


def checked(study: str) -> Path:
    """The verdict of the leak check: constant bytes, so that training waits for it and no more."""
    return Path("data/check") / study


def check_record(study: str) -> Path:
    """What the leak check read and counted; apart from the verdict, as it differs with the rows."""
    return Path("statistics") / study / "check"


def subsampled(study: str, key: str) -> Path:
    """The nested subsets of one task, language and seed."""
    return Path("data/subsample") / study / key


def subset(study: str, key: str, size: int | str) -> Path:
    """The first `size` rows of one seeded order."""
    return subsampled(study, key) / f"{size}.parquet"


def pretrained(study: str) -> Path:
    """Phase i: model and tokenizer."""
    return Path("models/pretrain") / study


def intermediate(study: str, run: str) -> Path:
    """Phase ii: an encoder."""
    return Path("models/intermediate") / study / run


def transferred(study: str, run: str) -> Path:
    """Phase iii: scores, and what each example adds to them; in git."""
    return Path("results/transfer") / study / run


def predicted(study: str, run: str) -> Path:
    """Phase iii: predictions, and the fine-tuned models that are kept."""
    return Path("results/predictions") / study / run


def aggregated(study: str) -> Path:
    """All score rows of a study and their summary; in git."""
    return Path("results/aggregate") / study


def report(study: str) -> Path:
    """The page, figures and tables of a study."""
    return Path("report") / study


def metrics_file(study: str) -> Path:
    """What a study concludes; in git, where a diff can be read; `xstilts verify` compares it."""
    return Path("results/aggregate") / f"{study}.metrics.json"


def answers(study: str) -> Path:
    """The verdict on each claim, and from which rows it was given; in git."""
    return Path("report") / f"{study}.claims.json"


def report_metrics(study: str) -> Path:
    """What `dvc metrics show` and `dvc metrics diff` print; in git."""
    return Path("report") / f"{study}.metrics.json"


def settings(study: str) -> Path:
    """What a study sets, which `dvc params diff` compares; no stage reads it."""
    return Path("design/settings") / f"{study}.json"


def provenance(study: str, stage: str, key: str) -> Path:
    """When, where and on what a stage ran: differs from run to run, so it is no DVC output."""
    return Path("provenance") / study / stage / f"{key}.json"


def output(loaded: Params, word: str, key: str) -> Path:
    """The output folder of a run of a stage, which holds its record.json."""
    study = loaded.study
    by_word = {
        "fetch": lambda: fetched(study, key),
        "prepare": lambda: Path(loaded.prepare[key].out),
        "check": lambda: check_record(study),
        "subsample": lambda: subsampled(study, key),
        "pretrain": lambda: pretrained(study),
        "intermediate": lambda: intermediate(study, key),
        "transfer": lambda: transferred(study, key),
        "aggregate": lambda: aggregated(study),
        "report": lambda: report(study),
    }
    return by_word[word]()


def outputs(loaded: Params, word: str, key: str) -> list[Path]:
    """All that a run of a stage writes: its folder, and what lies elsewhere."""
    study = loaded.study
    beside = {
        "prepare": [statistics(study, key)],
        "check": [checked(study), statistics(study, "overlap")],
        "transfer": [predicted(study, key)],
        "aggregate": [metrics_file(study)],
        "report": [answers(study), report_metrics(study)],
    }
    return [output(loaded, word, key), *beside.get(word, [])]
