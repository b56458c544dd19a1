"""What a task is: one literal that says where its rows come from and how they are scored."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Kind = Literal["classification", "multiple_choice", "span", "tagging", "retrieval", "mlm"]
Split = Literal["train", "validation", "test"]
Row = dict[str, Any]


def every_row(row: Row, language: str) -> bool:
    """The usual case: a config holds one language, so every row of it belongs."""
    return True


@dataclass(frozen=True)
class Task:
    """A data set as this project uses it. Everything that a reader may ask of it is a field.

    `splits[split]` names the source's own split (several are joined by `+`); `config` is the hub
    config; both are formatted with `{language}`, which is first looked up in `codes`.
    `belongs` picks the rows of a language where one config holds several; of these, `convert` makes
    rows of the kind's schema, or None to leave one out (counted as dropped). It gives no `id` where
    the source has none: the row's number in its source file is then the id.
    """

    name: str
    title: str
    description: str
    kind: Kind
    dataset: str  # hub id "org/name"; "world/..." for the control world; "github-org/repo" for urls
    # 40-hex commit of the hub data set. None for urls, for the control world, and where no commit
    # could be verified: then the hub is refused, and a mirror can serve it.
    revision: str | None
    licence: str
    reference: str  # paper or home page
    languages: tuple[str, ...]  # evaluation languages (for training-only tasks: training languages)
    train_languages: tuple[str, ...]
    splits: Mapping[Split, str]  # ours -> the source's
    convert: Callable[[Row, str], Row | None]  # (source row, language) -> row of the kind
    config: str | None = None
    codes: Mapping[str, str] = field(default_factory=dict)  # our language code -> the source's
    urls: Mapping[Split, Mapping[str, str]] = field(default_factory=dict)  # split -> url -> sha256
    parse: str = "hub"  # hub | jsonl | tsv | squad_json : how url files are read
    belongs: Callable[[Row, str], bool] = every_row  # (source row, language)
    labels: tuple[str, ...] = ()
    metric: str = "accuracy"
    chance: float = 0.0  # expected score of guessing, 0-100
    train_rows: Mapping[str, int] = field(default_factory=dict)  # language -> published train rows
    evaluation: Split = "test"  # which split is scored
    train_task: str | None = None  # the task whose rows fine-tune this target; None: its own
    protocols: tuple[str, ...] = ()  # xtreme, xtreme-r, x-stilts
    # protocol -> its language list, where that is not `languages`
    official: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def source(self, language: str, split: Split) -> tuple[str, str]:
        """The hub's (config, split) that hold our language and split.

        Raises:
            KeyError: the task has no such split.
        """
        code = self.codes.get(language, language)
        return (self.config or "default").format(language=code), self.splits[split].format(
            language=code
        )
