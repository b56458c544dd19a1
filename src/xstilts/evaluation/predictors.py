"""From a target and a model to predictions, one language at a time; each kind in its own way.

Used by stages/transfer.py. All functions give a `Predictor`; all workers call it in the same order
and get the same answer.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from xstilts.core import files, passes, paths
from xstilts.core.errors import UserError
from xstilts.core.params import Target
from xstilts.evaluation import search
from xstilts.evaluation.embed import Pooled, embeddings
from xstilts.evaluation.search import top
from xstilts.kinds import mining, modules, ranking
from xstilts.kinds.base import Feature, Row
from xstilts.metrics.ranking import CUT
from xstilts.model.checkpoint import load_encoder
from xstilts.model.heads import WithHeads
from xstilts.results.scores import DECIMALS
from xstilts.training import predict
from xstilts.training.batches import collate, cut, longest
from xstilts.training.engine import Setup
from xstilts.training.predict import Decoder

WEIGHED = 256  # rows of a language in which the weights of layers are looked at
BLOCK = 8192  # candidates that are embedded at once, which bounds memory


@dataclass(frozen=True)
class Predicted:
    """What is scored in one language: rows, and for each its prediction and its gold."""

    rows: list[Row]
    found: list[Any]
    gold: list[Any]
    layers: Sequence[float] = ()  # what each layer counts for, where the head attends to all


Predictor = Callable[[str], Predicted]  # of a language


def read_rows(target: Target, language: str, split: str | None = None) -> list[Row]:
    """Prepared rows of one language, of the split that is scored where no other is named.

    Of that one, where the target is scored on fewer, some in their order: the same of each language
    that has as many, so that translations stay together.

    Raises:
        UserError: the file is missing or broken, or has no rows.
    """
    path = paths.rows(Path(target.rows), language, split or target.split)
    rows: list[Row] = files.read_parquet(path).to_pylist()
    if not rows:
        raise UserError(f"{path} has no rows. Mend: see the target's source, or drop {language}")
    if split is None and target.score_limit is not None:
        drawn = np.random.default_rng(0).permutation(len(rows))[: target.score_limit]
        return [rows[i] for i in sorted(drawn)]
    return rows


def decoder(target: Target, net: nn.Module, setup: Setup) -> Predictor:
    """Classes, choices, answers, tags, or what else the kind of a fine-tuned model predicts."""
    assert target.training is not None
    kind = modules.get(target.kind)
    lengths = modules.lengths(kind, target.training)
    decode = Decoder(
        net,
        kind,
        target.labels,
        setup.tokenizer,
        lengths,
        passes.scored(setup.machine, lengths[0], setup.workers.device.type),
        setup.workers,
        precision=target.training.precision,
        store=setup.store,
        beams=target.training.output.beams,
    )

    def predict(language: str) -> Predicted:
        rows = read_rows(target, language)
        found, gold = decode(rows), kind.references(rows, target.labels)
        return Predicted(rows, found, gold, layer_weights(decode, rows))

    return predict


def layer_weights(decoder: Decoder, rows: list[Row]) -> list[float]:
    """What each layer counts for, lowest first, 1 in all; none where the head reads the last.

    Mean over what the head reads in the first rows: every worker looks at the same ones.
    """
    model = decoder.model
    if not (isinstance(model, WithHeads) and str(decoder.part) in model.fusions):
        return []
    every = decoder.store(decoder.kind.encode, rows, decoder.tokenizer, *decoder.lengths)
    features = list(takewhile(lambda feature: feature["row"] < WEIGHED, every))
    pad, device, found = decoder.tokenizer.pad_token_id, decoder.workers.device, []
    with torch.inference_mode():
        for some in cut(sorted(features, key=longest), decoder.tokens):
            batch = collate(some, decoder.kind, pad, device)
            found.append(model.layer_weights(batch, part=decoder.part))
    mean: list[float] = torch.cat(found).double().mean(0).tolist()
    return [round(value, DECIMALS) for value in mean]


def _embedder(
    target: Target, checkpoint: Path, setup: Setup
) -> Callable[[list[str]], NDArray[np.float32]]:
    """Texts -> embeddings [texts, hidden] by the encoder as it is."""
    encoder = load_encoder(checkpoint).to(setup.workers.device)
    pooled = Pooled(encoder, target.layer, target.pooling)
    tokens = passes.scored(setup.machine, target.max_length, setup.workers.device.type)
    size, shared = (target.max_length, tokens), (setup.workers, setup.store)
    return lambda texts: embeddings(pooled, texts, setup.tokenizer, *size, *shared)


def retriever(target: Target, checkpoint: Path, setup: Setup) -> Predictor:
    """For each text_b (the pivot side) the number of the nearest text_a."""
    embed = _embedder(target, checkpoint, setup)

    def predict(language: str) -> Predicted:
        rows = read_rows(target, language)
        queries, pool = (embed([row[name] for row in rows]) for name in ("text_b", "text_a"))
        found = search.match(queries, pool, target.similarity)
        return Predicted(rows, found.tolist(), list(range(len(rows))))

    return predict


def miner(target: Target, checkpoint: Path, setup: Setup) -> Predictor:
    """For each foreign sentence the ids of its translations; the validation split sets the bar.

    Where the scored split is the validation split, as in jiant, the bar is set on what is scored.
    """
    embed = _embedder(target, checkpoint, setup)

    def candidates(rows: list[Row]) -> tuple[list[Row], list[Row], list[search.Candidate]]:
        foreign, english = mining.sides(rows)
        if not foreign or not english:
            raise UserError(
                f"{target.task}: {target.rows} has a file without foreign or English sentences. "
                "Mend: see its rows' `side`"
            )
        ours, theirs = ([row["text"] for row in side] for side in (foreign, english))
        return foreign, english, search.mine(embed(ours), embed(theirs), ours, theirs)

    def predict(language: str) -> Predicted:
        foreign, english, pairs = candidates(read_rows(target, language, "validation"))
        true = mining.pairs(foreign, english)
        if not true:
            raise UserError(
                f"{target.task} in {language}: the validation rows hold no pair to set a threshold "
                f"by. Mend: see their source, or drop {language}"
            )
        bar = search.best_threshold(pairs, true)
        foreign, english, pairs = candidates(read_rows(target, language))
        found: list[list[str]] = [[] for _ in foreign]
        for pair in search.apply(pairs, bar):
            found[pair.foreign].append(english[pair.english]["id"])
        gold = mining.references(foreign, target.labels)
        return Predicted(foreign, found, gold)

    return predict


def ranker(title: str, target: Target, net: nn.Module, place: Path, setup: Setup) -> Predictor:
    """For each query the ids of its first candidates of the pool in all languages, best first.

    Raises:
        UserError: the pool has no candidates, or none that a language's queries ask for.
    """
    assert target.training is not None
    length = target.training.max_length
    names, pool = _pool(title, target, net, place, setup)
    known = set(names)
    if len(known) < len(names):
        raise UserError(
            f"{target.task}: {len(names) - len(known)} candidates of {target.rows} have an id that "
            "another one has. Mend: prepare each candidate in one language's file"
        )

    def predict(language: str) -> Predicted:
        rows = read_rows(target, language)
        gold = ranking.references(rows, target.labels)
        lost = [row["id"] for row, one in zip(rows, gold, strict=True) if known.isdisjoint(one)]
        if lost:
            raise UserError(
                f"{target.task} in {language}: no candidate of the pool is relevant to query "
                f"{lost[0]} and {len(lost) - 1} more. Mend: prepare queries and candidates from "
                "the same source"
            )
        asked = setup.store(ranking.encode_queries, rows, setup.tokenizer, length)
        queries = _encode(asked, target, net, setup)
        rank, size = setup.workers.rank, setup.workers.size
        best = setup.workers.gather(list(top(queries[rank::size], pool, CUT)[1]))
        return Predicted(rows, [[names[i] for i in one] for one in best], gold)

    return predict


def _encode(
    features: Sequence[Feature], target: Target, net: nn.Module, setup: Setup
) -> NDArray[np.float32]:
    """Unit vectors of a dual encoder: [texts, hidden]."""
    assert target.training is not None
    pad, precision = setup.tokenizer.pad_token_id, target.training.precision
    length, where = target.training.max_length, setup.workers.device.type
    tokens = passes.scored(setup.machine, length, where)
    found = predict.predict(net, ranking, features, pad, tokens, setup.workers, precision=precision)
    return np.stack(found)


def candidates_file(target: Target, language: str) -> Path:
    """The part of a target's pool that is in one language."""
    return paths.rows(Path(target.rows), language, "candidates")


def _pool(
    title: str, target: Target, net: nn.Module, place: Path, setup: Setup
) -> tuple[list[str], NDArray[np.float32]]:
    """Ids and unit vectors [candidates, hidden]; the vectors stay in a file, read as needed.

    Worker 0 writes them block by block; what is there after an interruption is not made again.
    """
    tables = [files.read_parquet(candidates_file(target, one)) for one in target.candidates]
    names: list[str] = [name for table in tables for name in table["id"].to_pylist()]
    if not names:
        raise UserError(f"{target.task} has no candidates in {target.rows}. Mend: see its source")
    vectors, counted = place / "candidates.npy", place / "candidates.json"
    done = setup.workers.first(lambda: files.read_json(counted)["done"] if counted.exists() else 0)
    starts = [(table, start) for table in tables for start in range(0, len(table), BLOCK)]
    end = 0
    with setup.observe.progress(f"{title}: candidates", len(names)) as advance:
        for table, start in starts:
            block = table.slice(start, BLOCK)
            end += len(block)
            if end > done:
                found = _candidates(block.to_pylist(), target, net, setup)
                if setup.workers.rank == 0:
                    _store(vectors, found, end - len(block), len(names))
                    files.write_json(counted, {"done": end})
            advance(len(block))
    setup.workers.barrier()
    pool: NDArray[np.float32] = np.load(vectors, mmap_mode="r")
    return names, pool


def _candidates(
    rows: list[Row], target: Target, net: nn.Module, setup: Setup
) -> NDArray[np.float32]:
    """Unit vectors of a block of the pool."""
    assert target.training is not None
    length = target.training.max_length
    features = setup.store(ranking.encode_candidates, rows, setup.tokenizer, length)
    return _encode(features, target, net, setup)


def _store(path: Path, block: NDArray[np.float32], start: int, total: int) -> None:
    """Write a block's rows into the file of all; the file is made with the first block."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if start == 0:
        np.lib.format.open_memmap(path, "w+", np.float32, (total, block.shape[1]))
    whole = np.lib.format.open_memmap(path, "r+")
    whole[start : start + len(block)] = block
    whole.flush()
