"""The source "world": makes the control world's data set in the layout of the Hugging Face hub.

`materialise("world/facts", spec, target)` writes parquet files and a README.md whose front matter
lists the configs, so that `datasets.load_dataset(str(target), config, split=split)` reads it.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa

from xstilts.core.errors import UserError
from xstilts.core.files import write_bytes, write_parquet
from xstilts.core.strict import parse
from xstilts.sources.world import tasks
from xstilts.sources.world.languages import make_languages
from xstilts.sources.world.spec import World

DATASET = "world/facts"
SPLITS = ("train", "validation", "test")
STRING = pa.string()
ANSWERS = pa.struct([("text", pa.list_(STRING)), ("answer_start", pa.list_(pa.int32()))])
SCHEMAS: dict[str, list[tuple[str, pa.DataType]]] = {
    "text": [("id", STRING), ("text", STRING), ("pair", STRING)],
    "qa": [
        *((name, STRING) for name in ("id", "title", "context", "question")),
        ("answers", ANSWERS),
    ],
    "reading": [
        *((name, STRING) for name in ("id", "title", "context", "question")),
        ("answers", ANSWERS),
    ],
    "paraphrase": [
        ("id", pa.int32()),
        ("sentence1", STRING),
        ("sentence2", STRING),
        ("label", pa.int64()),
    ],
    "pos": [("tokens", pa.list_(STRING)), ("pos_tags", pa.list_(pa.int64()))],
    "bitext": [("sentence1", STRING), ("sentence2", STRING)],
}


def materialise(dataset: str, spec: dict[str, Any], target: Path) -> None:
    """Write the data set `dataset` into the folder `target`.

    `spec` is a `World`. Equal specs give equal bytes. A size that grows keeps the rows it had.

    Raises:
        UserError: an unknown data set, key, split or language, or a value that is no size.
    """
    if dataset != DATASET:
        raise UserError(f"no data set {dataset!r} in the control world. Mend: use {DATASET!r}")
    mend = f"give the whole number, or use {', '.join(World.model_fields)}"
    world = parse(World, spec, "the world's spec", mend)
    configs: dict[str, list[tuple[str, str]]] = {}
    for config, split, rows in _splits(world):
        path = f"data/{config}/{split}-00000-of-00001.parquet"
        schema = pa.schema(SCHEMAS[config.split(".")[0]])
        write_parquet(target / path, pa.Table.from_pylist(rows, schema=schema))
        configs.setdefault(config, []).append((split, path))
    write_bytes(target / "README.md", _readme(configs).encode())


def _splits(spec: World) -> Iterator[tuple[str, str, list[tasks.Row]]]:
    """All of (config, split, rows), in a fixed order."""
    languages = make_languages(spec.seed)
    yield "text", "train", tasks.text_rows(languages, spec.seed, spec.text)
    makers = {
        "qa": tasks.qa_rows,
        "reading": tasks.reading_rows,
        "paraphrase": tasks.paraphrase_rows,
        "pos": tasks.pos_rows,
    }
    for code, language in languages.items():
        for task, maker in makers.items():
            trained = set() if code in spec.train_languages else {"train"}
            sizes = getattr(spec, task).model_dump(exclude=trained)
            made = maker(language, spec.seed, sizes)
            yield from ((f"{task}.{code}", split, made[split]) for split in SPLITS if split in made)
        if code != "qaa":
            rows = tasks.bitext_rows(language, languages["qaa"], spec.seed, spec.bitext.test)
            yield f"bitext.{code}", "test", rows


def _readme(configs: dict[str, list[tuple[str, str]]]) -> str:
    """The data set card, with the front matter that `datasets` reads."""
    lines = ["---", "license: cc0-1.0", "pretty_name: The control world", "configs:"]
    for config, files in configs.items():
        lines += [f"- config_name: {config}", "  data_files:"]
        for split, path in files:
            lines += [f"  - split: {split}", f"    path: {path}"]
    lines += ["---", "", "# The control world", ""]
    lines += ["Made-up languages that talk about a closed world of facts; made by `xstilts`.", ""]
    return "\n".join(lines)
