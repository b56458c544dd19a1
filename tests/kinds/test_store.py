"""Features are made once, are what `encode` gives, and never those of other rows or older code."""

import fcntl
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from itertools import product
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from xstilts.core.machine import Machine
from xstilts.kinds import classification, features, mlm, modules, ranking, retrieval, span, store
from xstilts.kinds.store import NOT_KEPT, Store
from xstilts.records import code

Row = dict[str, Any]
ANSWER = [{"text": "nemoti", "start": 7}]
PAIRS = [
    {"text_a": f"tapika {n} 🙂", "text_b": "nemoti" if n % 2 else None, "label": n % 3}
    for n in range(7)
]
QUERIES = [
    {"text": "Tapika", "pair": "x", "positive": "nemoti", "positive_pair": "42 tapika"},
    {"text": "nemoti", "pair": None, "positive": "x", "positive_pair": None},
]
CASES: list[tuple[Callable[..., Any], list[Any], tuple[int, ...]]] = [
    (classification.encode, PAIRS, (32, 0)),
    (
        modules.get("multiple_choice").encode,
        [
            {"context": "tapika", "question": "", "choices": ["x"] * n, "label": 1}
            for n in (2, 3, 4)
        ],
        (16, 0),
    ),
    (
        span.encode,
        [
            {"context": "tapika nemoti " * n, "question": "東京", "answers": ANSWER[: n % 2]}
            for n in (0, 1, 30, 2)
        ],
        (40, 8),
    ),
    (
        modules.get("tagging").encode,
        [{"tokens": ["tapika", "бвгдае"] * n, "tags": [1, 2] * n} for n in (3, 1, 30, 2)],
        (40, 0),
    ),
    (mlm.encode, [{"text": text, "pair": None} for text in ("</s>", "tapika", "x y")], (40, 0)),
    (ranking.encode, QUERIES, (40, 0)),
    (ranking.encode_queries, QUERIES, (40,)),
    (ranking.encode_candidates, QUERIES, (40,)),
    (retrieval.encode_texts, ["tapika", "", "nemoti 42"], (8,)),
]
IDS = [f"{encode.__module__.split('.')[-1]}.{encode.__name__}" for encode, _, _ in CASES]


def plain(value: Any) -> Any:
    """A feature without arrays: what `==` can compare."""
    if isinstance(value, dict):
        return {name: plain(one) for name, one in value.items()}
    if isinstance(value, list):
        return [plain(one) for one in value]
    return value.tolist() if isinstance(value, np.ndarray) else value


class Counting(SimpleNamespace):
    """A tokenizer that counts how often it is asked."""

    def __init__(self, real: Any) -> None:
        super().__init__(real=real, calls=0)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.real, name)

    def __len__(self) -> int:
        return len(self.real)

    def __hash__(self) -> int:
        return id(self)

    def __call__(self, *texts: Any, **settings: Any) -> Any:
        self.calls += 1
        return self.real(*texts, **settings)


@pytest.fixture
def kept(tmp_path: Path) -> Store:
    """A store in an empty folder."""
    return Store(tmp_path / "features", 1)


def files_of(kept: Store) -> list[Path]:
    """All files of features."""
    assert kept.folder is not None
    return sorted(kept.folder.glob("*.arrow"))


@pytest.mark.parametrize(("encode", "rows", "lengths"), CASES, ids=IDS)
def test_features_are_what_encode_gives(
    kept: Store,
    tokenizer: Any,
    monkeypatch: pytest.MonkeyPatch,
    encode: Callable[..., Any],
    rows: list[Any],
    lengths: tuple[int, ...],
) -> None:
    """Another id, place or label is another study; made in blocks, rows still count from 0."""
    monkeypatch.setattr(store, "ROWS", 3)
    asked = Counting(tokenizer)
    expected = encode(rows, tokenizer, *lengths)
    made = kept(encode, rows, asked, *lengths)
    calls = asked.calls
    assert calls
    read = kept(encode, rows, asked, *lengths)
    assert asked.calls == calls, "text was tokenised twice"
    held = NOT_KEPT(encode, rows, tokenizer, *lengths)
    for found in (made, read, held):
        assert plain(list(found)) == plain(expected)
        assert [list(feature) for feature in found] == [list(feature) for feature in expected]
    for old, new in zip(expected, read, strict=True):
        arrays = [name for name, value in old.items() if isinstance(value, np.ndarray)]
        assert [new[name].dtype for name in arrays] == [old[name].dtype for name in arrays]


NUMBERS = st.lists(st.integers(-(2**31), 2**31 - 1), max_size=4)
SHAPES = {
    "ids": st.lists(NUMBERS, min_size=1, max_size=3),
    "places": NUMBERS,
    "row": st.integers(-(2**63), 2**63 - 1),
    "weight": st.floats(allow_nan=False),
    "text": st.text(st.characters(codec="utf-8")),
    "full": st.lists(st.booleans(), max_size=4).map(lambda some: np.array(some, dtype=bool)),
    "spans": st.integers(0, 3).map(lambda n: np.arange(2 * n, dtype=np.int32).reshape(n, 2)),
}


@given(st.lists(st.fixed_dictionaries(SHAPES), min_size=1, max_size=5), st.data())
def test_any_features_come_back_whole_sliced_and_chosen(
    made: list[dict[str, Any]], data: st.DataObject
) -> None:
    """A kind to come may have empty lists where today's have none."""
    cut = data.draw(st.integers(0, len(made)))
    blocks = [features.block(some) for some in (made[:cut], made[cut:]) if some]
    found = features.Features(blocks)
    assert plain(list(found)) == plain(made)
    part = data.draw(st.slices(len(made)))
    assert plain(list(found[part])) == plain(made[part])
    assert plain(found[-1]) == plain(made[-1])
    odd = found.where(lambda feature: feature["row"] % 2 == 1)
    assert plain(list(odd)) == plain([one for one in made if one["row"] % 2 == 1])
    with pytest.raises(IndexError):
        found[len(made)]


def test_whatever_decides_features_decides_their_file(
    kept: Store, tokenizer: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that is found under too few facts is stale, and nothing would ever tell."""
    from xstilts.model import tokenizer as tokenizers

    rows = [{"text": "tapika", "pair": None, "relevant": []}]
    text = {**rows[0], "text": "nemoti"}
    folder = tmp_path / "other"
    folder.mkdir()
    for path in Path(tokenizer.name_or_path).iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    whole = (folder / "tokenizer.json").read_text()
    (folder / "tokenizer.json").write_text(whole + "\n")
    other = tokenizers.load(folder)
    renamed = tokenizers.load(folder)
    renamed.sep_token = "<mask>"
    asked: list[tuple[Any, ...]] = [
        (mlm.encode, rows, tokenizer, 40, 0),
        (mlm.encode, rows, tokenizer, 41, 0),
        (mlm.encode, rows, tokenizer, 40, 1),
        (mlm.encode, rows * 2, tokenizer, 40, 0),
        (mlm.encode, [text], tokenizer, 40, 0),
        (mlm.encode, [{**rows[0], "training_language": "zh"}], tokenizer, 40, 0),
        (mlm.encode, rows, other, 40, 0),
        (mlm.encode, rows, renamed, 40, 0),
        (ranking.encode_queries, rows, tokenizer, 40, 0),
        (ranking.encode_candidates, rows, tokenizer, 40, 0),
    ]
    monkeypatch.setattr(store, "_blocks", lambda *_: iter(()))
    for number, one in enumerate(asked, 1):
        for _ in range(2):
            kept(*one)
            assert len(files_of(kept)) == number
    store._versions.cache_clear()
    monkeypatch.setattr(store.metadata, "version", lambda package: "0")
    kept(*asked[0])
    store._versions.cache_clear()
    assert len(files_of(kept)) == len(asked) + 1


def test_features_of_older_code_are_not_read(
    kept: Store, tokenizer: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A repair of how text is cut has to reach the runs; a comment need not."""
    asked = (classification.encode, PAIRS, tokenizer, 32, 0)
    kept(*asked)
    for name, number in (("kinds/base", 2), ("model/tokenizer", 3), ("metrics/qa", 3)):
        with monkeypatch.context() as patch:
            real = code.meaning
            patch.setattr(
                code,
                "meaning",
                lambda path, name=name, real=real: real(path) + b"x" * (name in str(path)),
            )
            code.identity_of.cache_clear()
            kept(*asked)
        code.identity_of.cache_clear()
        assert len(files_of(kept)) == number, name


def test_what_has_no_known_code_or_tokenizer_is_not_kept(kept: Store, tokenizer: Any) -> None:
    """A plugin's kind, a tokenizer made in a test: nobody can say when they change."""

    def encode(rows: list[Row], tokenizer: Any, length: int) -> list[Row]:
        return retrieval.encode_texts([row["text"] for row in rows], tokenizer, length)

    assert len(kept(encode, [{"text": "tapika"}], tokenizer, 8)) == 1
    unnamed = Counting(tokenizer)
    unnamed.name_or_path = ""
    assert len(kept(retrieval.encode_texts, ["tapika"], unnamed, 8)) == 1
    assert not files_of(kept)


@pytest.mark.parametrize("spoil", ["cut", "empty", "flip", "folder"])
def test_a_file_that_is_not_as_written_is_made_anew(
    kept: Store, tokenizer: Any, spoil: str
) -> None:
    """A disk that filled up or lost bytes costs time, and neither the run nor its result."""
    asked = (classification.encode, PAIRS, tokenizer, 32, 0)
    expected = plain(list(kept(*asked)))
    (path,) = files_of(kept)
    whole = path.read_bytes()
    if spoil == "folder":
        path.unlink()
        path.mkdir()  # nothing can be written there
        assert plain(list(kept(*asked))) == expected
        return
    middle = len(whole) // 2
    bad = {
        "cut": whole[:middle],
        "empty": b"",
        "flip": whole[:middle] + bytes([whole[middle] ^ 1]) + whole[middle + 1 :],
    }
    path.write_bytes(bad[spoil])
    assert plain(list(kept(*asked))) == expected
    assert path.read_bytes() == whole


def test_what_was_read_longest_ago_goes_and_readers_keep_it(tokenizer: Any, tmp_path: Path) -> None:
    """A bound that deletes what is in use would make each run tokenise for the next."""
    kept = Store(tmp_path / "features", 1)
    texts = [[f"tapika {n}"] for n in range(4)]
    asked = [(retrieval.encode_texts, some, tokenizer, 8) for some in texts]
    first = kept(*asked[0])
    expected, (path,) = plain(list(first)), files_of(kept)
    kept(*asked[1])
    for age, one in enumerate(files_of(kept)):
        os.utime(one, (age, age))
    kept(*asked[0])  # read: now the other one is older
    small = Store(kept.folder, 2.5 * path.stat().st_size / 1e9)
    small(*asked[2])
    assert len(files_of(kept)) == 2
    assert path.exists()
    for one in asked[3:]:
        Store(kept.folder, 1e-9)(*one)
    assert len(files_of(kept)) == 1, "the file that was just made is never the one to go"
    assert not path.exists()
    assert plain(list(first)) == expected


WORKER = """
import json, sys
from pathlib import Path
from xstilts.kinds import classification
from xstilts.kinds.store import Store
from xstilts.model import tokenizer
words, folder, rows = json.loads(sys.stdin.readline())
words, calls, real = tokenizer.load(Path(words)), [], classification.encoded
classification.encoded = lambda *asked: calls.append(1) or real(*asked)
print("ready", flush=True)
found = Store(Path(folder), 1)(classification.encode, rows, words, 32, 0)
print(json.dumps([bool(calls), len(found), [ids.tolist() for ids in found[-1]["ids"]]]))
"""


def test_of_processes_that_ask_at_once_one_tokenises(kept: Store, tokenizer: Any) -> None:
    """Workers of one stage, and two stages at a time, ask for the same rows together."""
    assert kept.folder is not None
    kept.folder.mkdir()
    pipe = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    command = [sys.executable, "-c", WORKER]
    workers = [subprocess.Popen(command, **pipe) for _ in range(3)]  # type: ignore[call-overload]
    asked = json.dumps([tokenizer.name_or_path, str(kept.folder), PAIRS]) + "\n"
    with (kept.folder / "lock").open("a") as handle:
        fcntl.lockf(handle, fcntl.LOCK_EX)  # of all keys, until all workers wait
        for worker in workers:
            worker.stdin.write(asked)
            worker.stdin.flush()
        assert [worker.stdout.readline() for worker in workers] == ["ready\n"] * 3
        time.sleep(0.5)
    answers = [json.loads(worker.communicate(timeout=120)[0]) for worker in workers]
    expected = plain(classification.encode(PAIRS, tokenizer, 32, 0))
    assert sorted(tokenised for tokenised, _, _ in answers) == [False, False, True]
    assert all(answer[1:] == [len(PAIRS), expected[-1]["ids"]] for answer in answers)
    assert len(files_of(kept)) == 1


def test_machines_say_how_much_is_kept() -> None:
    """0 is for disks that have no room to spare."""
    assert Store.of(Machine(features_gb=0)).folder is None
    for gigabytes, folder in product((1, 2.5), (Path(".state/features"),)):
        assert Store.of(Machine(features_gb=gigabytes)) == Store(folder, gigabytes)
