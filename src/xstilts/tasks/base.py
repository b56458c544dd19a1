"""What a task is: one literal that says where its rows come from and how they are scored."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

# candidates: what is searched through (mining and ranking), apart from the queries
Split = Literal["train", "validation", "test", "candidates"]
Origin = Literal["human", "machine"]  # written by people, or machine-translated from English
Row = dict[str, Any]


def every_row(row: Row, language: str) -> bool:
    """The usual case: a config holds one language, so every row of it belongs."""
    return True


@dataclass(frozen=True)
class Task:
    """A data set as this project uses it. Everything that a reader may ask of it is a field.

    `splits[split]` names the source's own split (several are joined by `+`; `other/split` where it
    lies in another config); `config` is the hub config. These, `urls` and `members` are formatted
    with `{language}`, which is first looked up in `codes`, and `urls` with `{release}`, too.
    `belongs` picks the rows of a language where one config holds several; of these, `convert` makes
    rows of the kind's schema, or None to leave one out (counted as dropped). It gives no `id` where
    the source has none: the row's number in its source file is then the id.

    A data set without a hub id comes from `urls`; where these are archives, `members` says which of
    their files a split is. So does one whose hub copy has no commit that could be verified; it has
    `splits` as well, as a mirror may have it either way. A licensed set
    comes from the user's own folder: `place` names the variable that says where, `members` the
    files in it. A task with `joins` has no source of its own: its rows are those of other tasks,
    one after the other.
    """

    name: str
    title: str
    description: str
    kind: str  # one of kinds/spec.py, which decides the machinery
    # hub id "org/name"; "world/..." for the control world; "github-org/repo" or the like for urls
    dataset: str
    # 40-hex commit of the hub data set. None for urls, for a user's folder, for the control world,
    # and where no commit could be verified: `xstilts pin` records one, unless there are urls.
    revision: str | None
    licence: str
    reference: str  # paper or home page
    languages: tuple[str, ...]  # evaluation languages (for training-only tasks: training languages)
    train_languages: tuple[str, ...]
    splits: Mapping[Split, str]  # ours -> the source's
    convert: Callable[[Row, str], Row | None]  # (source row, language) -> row of the kind
    config: str | None = None
    codes: Mapping[str, str] = field(default_factory=dict)  # our language code -> the source's
    # split -> url -> sha256; None: in `hashes`, or not known and `xstilts pin` records it
    urls: Mapping[Split, Mapping[str, str | None]] = field(default_factory=dict)
    hashes: Mapping[str, str] = field(default_factory=dict)  # url of one language -> sha256
    # language -> what stands for {release} in urls: the release of the source that its rows are of
    releases: Mapping[str, str] = field(default_factory=dict)
    # split -> paths inside the archives of `urls` (`*` fits anything) or inside the folder `place`
    members: Mapping[Split, tuple[str, ...]] = field(default_factory=dict)
    # hub, or a reader of sources/raw.py or joined.py: how files of urls and members are read
    parse: str = "hub"
    joins: tuple[str, ...] = ()  # tasks of the same kind and labels whose rows these are, in order
    origin: Origin = "human"
    place: str | None = None  # variable that names the user's folder of a licensed set
    obtain: str = ""  # how to get what is licensed, in one sentence
    belongs: Callable[[Row, str], bool] = every_row  # (source row, language)
    limit: int | None = None  # rows of one language's split that are read at most: the first ones
    # False: rows whose answer does not occur in its context (translated QA) are left out, counted
    strict_answers: bool = True
    labels: tuple[str, ...] = ()
    # labels that only the data tells: a folder with the files of `members` -> the labels in their
    # order; `convert` then gives tags by name
    labels_from: Callable[[Path], tuple[str, ...]] | None = None
    metric: str = "accuracy"
    chance: float = 0.0  # expected score of guessing, 0-100
    # of the control world: what is asked, so that the right score can be counted (sources/world)
    expected: Literal["class", "translation"] | None = None
    teaches: bool = False  # of the control world: whether its labels are the nouns' classes
    train_rows: Mapping[str, int] = field(default_factory=dict)  # language -> published train rows
    evaluation: Split = "test"  # which split is scored
    train_task: str | None = None  # the task whose rows fine-tune this target; None: its own
    train_before: tuple[str, ...] = ()  # trainings before it, under the same head
    protocols: tuple[str, ...] = ()  # xtreme, xtreme-r, x-stilts
    # protocol -> its language list, where that is not `languages`
    official: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def source(self, language: str, split: Split) -> tuple[str, str]:
        """The hub's (config, split) that hold our language and split.

        Raises:
            KeyError: the task has no such split.
        """
        other, _, name = self.splits[split].rpartition("/")
        config = other or self.config or "default"
        return self._named(config, language), self._named(name, language)

    def addresses(self, language: str, split: Split) -> dict[str, str | None]:
        """url -> sha256 of the files of our language and split; {} where it has none."""
        pins = self.urls.get(split, {})
        named = {self._named(url, language): pin for url, pin in pins.items()}
        return {url: pin or self.hashes.get(url) for url, pin in named.items()}

    def released(self, languages: Iterable[str]) -> dict[str, list[str]]:
        """Release, as its archive is named, -> which of some languages have their rows from it."""
        out: dict[str, list[str]] = {}
        for language in languages:
            if language in self.releases:
                name = self.releases[language].rpartition("/")[2]
                out.setdefault(name, []).append(language)
        return out

    def inside(self, language: str, split: Split) -> tuple[str, ...]:
        """The files of our language and split inside the archives, or inside the user's folder."""
        return tuple(self._named(path, language) for path in self.members.get(split, ()))

    def _named(self, text: str, language: str) -> str:
        """`text` with the source's code of a language."""
        code = self.codes.get(language, language)
        return text.format(language=code, release=self.releases.get(language, ""))
