"""Phase i: import a pinned checkpoint, or train a small XLM-R or mT5 from scratch.

Run by `xstilts pretrain` or `dvc repro`. Writes model, tokenizer and record to
`models/pretrain/<study>/`. Where a study says `vocabulary: used`, of a checkpoint only the encoder
is kept, and of its embedding the rows that the study's texts use (model/vocabulary.py).
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import torch
from transformers import PreTrainedModel

from xstilts.core import files, paths
from xstilts.core.machine import load_machine
from xstilts.core.params import Corpus, Params, Pretrain
from xstilts.core.progress import Observe, Record
from xstilts.kinds import mlm, modules
from xstilts.kinds.base import Row
from xstilts.kinds.pieces import pieces
from xstilts.kinds.store import Store
from xstilts.model import checkpoint, heads, seq2seq, tokenizer, unigram, vocabulary
from xstilts.records import record
from xstilts.sources import obtain
from xstilts.training import corruption, loop, state
from xstilts.training.engine import Setup, Workers
from xstilts.training.launch import rank
from xstilts.training.loop import HeadData, Run, TrainingSpec


def run(params: Params, key: str, observe: Observe) -> Record:
    """Write the base model of a study.

    Raises:
        UserError: the checkpoint cannot be had, or a corpus is missing.
    """
    if params.pretrain.source == "scratch":
        return _scratch(params, key, observe)
    if rank() != 0:
        return {}  # one of several processes copies it
    return _imported(params, key, observe)


def _imported(params: Params, key: str, observe: Observe) -> Record:
    """Copy a pinned checkpoint and see that it can be loaded; cut it to what is used of it."""
    spec = params.pretrain
    with files.output_folder(paths.pretrained(params.study)) as out:
        obtain.model(spec, out, observe)
        tokenizer.complete(out)
        words = tokenizer.load(out)
        encoder = checkpoint.load_any(out)
        metrics = {}
        if spec.texts:
            known = _used(spec, words, encoder, observe)
            metrics = {"vocabulary": len(known.kept), "vocabulary.published": known.pieces}
            vocabulary.cut(encoder, known)
            for path in out.glob("model*.safetensors*"):
                path.unlink()
            checkpoint.save_encoder(encoder, out)
        metrics["parameters"] = encoder.num_parameters()
        floats = {name: float(value) for name, value in metrics.items()}
        done = record.make(params, "pretrain", key, spec, [], floats)
        done["inputs"] = {file.name: files.sha256_file(file) for file in sorted(out.iterdir())}
        files.write_json(out / "record.json", done)
    return done


def _used(
    spec: Pretrain, words: Any, encoder: PreTrainedModel, observe: Observe
) -> vocabulary.Vocabulary:
    """The pieces that the study's texts use, as its stages tokenise them, and the special ones."""
    used: set[int] = set()
    with observe.progress("pieces in use", sum(len(some.rows) for some in spec.texts)) as advance:
        for some in spec.texts:
            for path in some.rows:
                rows = files.read_parquet(Path(path)).to_pylist()
                used.update(pieces(some.kind, rows, words).tolist())
                advance(1)
    published = len(encoder.get_input_embeddings().weight)
    kept = vocabulary.kept_ids(used, words, encoder)
    return vocabulary.Vocabulary(
        **spec.model_dump(include={"source", "model", "revision"}), pieces=published, kept=kept
    )


def _scratch(params: Params, key: str, observe: Observe) -> Record:
    """Tokenizer, then on the study's own text masked language modelling or span corruption."""
    spec, machine = params.pretrain, load_machine()
    assert spec.architecture is not None
    assert spec.training is not None
    sources_read = [path for corpus in spec.corpora for path in corpus_files(corpus)]
    workers = Workers.start(machine)
    place = state.folder("pretrain", spec.model_dump(), sources_read, machine)
    rows = [row for corpus in spec.corpora for row in corpus_rows(corpus)]
    words = _tokenizer(place, rows, spec, workers)
    setup = Setup(words, machine, workers, observe, Store.of(machine))
    learnt = corruption if spec.architecture.family == "mt5" else mlm
    features = setup.store(learnt.encode, rows, words, spec.training.max_length, 0)
    text = HeadData("text", learnt, features)
    training = TrainingSpec("pretrain", spec.training, spec.seed)
    pretraining = Run(training, lambda: _with_head(_whole(spec, words)), [text], place, setup)
    weights, history = loop.train(pretraining)
    whole = _whole(spec, words)
    loop.load_weights(_with_head(whole), weights)
    metrics = {
        **history.losses(),
        "rows": float(len(rows)),
        "vocabulary": float(len(words)),
        "parameters": float(whole.num_parameters()),
        "steps": float(history.step),
    }
    done = record.make(params, "pretrain", key, spec, sources_read, metrics, history.curves())
    if workers.rank == 0:
        with files.output_folder(paths.pretrained(params.study)) as out:
            shutil.copytree(place / "tokenizer", out, dirs_exist_ok=True)
            whole.save_pretrained(out)
            files.write_json(out / "record.json", done)
        shutil.rmtree(place)
    workers.barrier()
    return done


def _whole(spec: Pretrain, words: Any) -> PreTrainedModel:
    """The model before its training; the same at every call."""
    assert spec.architecture is not None
    assert spec.training is not None
    torch.manual_seed(spec.seed)
    made = {"mt5": checkpoint.small_mt5, "xlm-roberta": checkpoint.small_xlmr}
    return made[spec.architecture.family](spec.architecture, len(words), spec.training.dropout)


def _with_head(whole: PreTrainedModel) -> seq2seq.Model:
    """Encoder and language-modelling head, which share their weights with `whole`."""
    if checkpoint.FAMILIES[whole.config.model_type].decodes:
        return seq2seq.EncoderDecoder(whole)
    return heads.WithHeads(whole.base_model, [checkpoint.language_head(whole)])


def corpus_files(corpus: Corpus) -> list[Path]:
    """The parquet files of a corpus."""
    folder = Path(corpus.rows)
    return [paths.rows(folder, language, corpus.split) for language in corpus.languages]


def corpus_rows(corpus: Corpus) -> list[Row]:
    """Text of a corpus as rows of the kind `mlm`; each text once."""
    rows: list[Row] = []
    for path in corpus_files(corpus):
        rows += files.read_parquet(path).to_pylist()[: corpus.limit]
    return mlm.rows_of(rows, modules.get(corpus.kind))


def _tokenizer(place: Path, rows: list[Row], spec: Pretrain, workers: Workers) -> Any:
    """Train the tokenizer once (worker 0), then load it."""
    assert spec.architecture is not None
    folder = place / "tokenizer"
    if workers.rank == 0 and not folder.exists():
        texts = [text for row in rows for text in (row["text"], row["pair"]) if text]
        with files.output_folder(folder) as out:
            unigram.train_unigram(texts, spec.architecture.vocabulary, out)
    workers.barrier()
    return tokenizer.load(folder)
