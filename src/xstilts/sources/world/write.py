"""The source "world": makes the control world's data set in the layout of the Hugging Face hub.

`materialise("world/nouns", spec, target)` writes parquet files and a README.md whose front matter
lists the configs, so that `datasets.load_dataset(str(target), config, split=split)` reads it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa

from xstilts.core.errors import UserError
from xstilts.core.files import write_bytes, write_parquet
from xstilts.core.strict import parse
from xstilts.sources.world import facts, rows
from xstilts.sources.world.spec import World
from xstilts.sources.world.words import Language, make_languages

NOUNS, FACTS = "world/nouns", "world/facts"
STRING = pa.string()
ANSWERS = pa.struct([("text", pa.list_(STRING)), ("answer_start", pa.list_(pa.int32()))])
CLASSES = [("id", pa.int32()), ("sentence", STRING), ("label", pa.int64())]
TAGS = [("id", pa.int32()), ("tokens", pa.list_(STRING)), ("tags", pa.list_(pa.int64()))]
SCHEMAS: dict[str, list[tuple[str, pa.DataType]]] = {
    "text": [("id", STRING), ("text", STRING), ("pair", STRING)],
    "classes": CLASSES,
    "tags": TAGS,
    "new_classes": CLASSES,
    "new_tags": TAGS,
    "qa": [
        *((name, STRING) for name in ("id", "title", "context", "question")),
        ("answers", ANSWERS),
    ],
    "bitext": [("sentence1", STRING), ("sentence2", STRING)],
    "questions": [("id", pa.int32()), ("question", STRING), ("answer", STRING)],
}
Maker = Callable[[Language, int, dict[str, int]], dict[str, list[rows.Row]]]
MAKERS: dict[str, Maker] = {
    "classes": partial(rows.labelled, "classes", rows.any_noun, rows.class_row),
    "tags": partial(rows.labelled, "tags", rows.any_noun, rows.tag_row),
    "new_classes": partial(rows.labelled, "new_classes", rows.new_noun, rows.new_class_row),
    "new_tags": partial(rows.labelled, "new_tags", rows.new_noun, rows.new_tag_row),
    "qa": rows.qa_rows,
}


def materialise(dataset: str, spec: dict[str, Any], target: Path) -> None:
    """Write the data set `dataset` into the folder `target`.

    `spec` is a `World`. Equal specs give equal bytes. A size that grows keeps the rows it had.

    Raises:
        UserError: an unknown data set, key, split or language, or a value that is no size.
    """
    if dataset not in SETS:
        known = ", ".join(SETS)
        raise UserError(f"no data set {dataset!r} in the control world. Mend: use one of {known}")
    mend = f"give the whole number, or use {', '.join(World.model_fields)}"
    world = parse(World, spec, "the world's spec", mend)
    configs: dict[str, list[tuple[str, str]]] = {}
    for config, split, made in SETS[dataset](world):
        path = f"data/{config}/{split}-00000-of-00001.parquet"
        schema = pa.schema(SCHEMAS[config.split(".")[0]])
        write_parquet(target / path, pa.Table.from_pylist(made, schema=schema))
        configs.setdefault(config, []).append((split, path))
    write_bytes(target / "README.md", _readme(configs).encode())


def _splits(spec: World) -> Iterator[tuple[str, str, list[rows.Row]]]:
    """All of (config, split, rows), in a fixed order."""
    languages = make_languages(spec.seed, spec.parallel)
    text = rows.text_rows(languages, spec.seed, spec.text, spec.parallel)
    yield "text", "train", list(text)
    for code, language in languages.items():
        for task, maker in MAKERS.items():
            trained = set() if code in spec.train_languages else {"train"}
            sizes = getattr(spec, task).model_dump(exclude=trained)
            made = maker(language, spec.seed, sizes)
            yield from ((f"{task}.{code}", split, made[split]) for split in made)
        if code != "qaa":
            pairs = rows.bitext_rows(language, languages["qaa"], spec.seed, spec.bitext.test)
            yield f"bitext.{code}", "test", pairs


def _facts(spec: World) -> Iterator[tuple[str, str, list[rows.Row]]]:
    """All of (config, split, rows) of the data set of facts, in a fixed order."""
    yield "text", "train", list(facts.text_rows(spec.seed, spec.facts_text))
    for code in facts.ENDINGS:
        trained = set() if code in spec.train_languages else {"train"}
        made = facts.question_rows(code, spec.seed, spec.facts.model_dump(exclude=trained))
        yield from ((f"questions.{code}", split, made[split]) for split in made)


SETS = {NOUNS: _splits, FACTS: _facts}


def _readme(configs: dict[str, list[tuple[str, str]]]) -> str:
    """The data set card, with the front matter that `datasets` reads."""
    lines = ["---", "license: cc0-1.0", "pretty_name: The control world", "configs:"]
    for config, files in configs.items():
        lines += [f"- config_name: {config}", "  data_files:"]
        for split, path in files:
            lines += [f"  - split: {split}", f"    path: {path}"]
    lines += ["---", "", "# The control world", ""]
    lines += ["Made-up languages whose nouns have hidden classes; made by `xstilts`.", ""]
    return "\n".join(lines)
