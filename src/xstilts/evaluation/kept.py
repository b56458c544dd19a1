"""A target's fine-tuned model as a folder of its own: kept by the transfer stage, asked by anyone.

    model.safetensors, config.json   the encoder, or encoder-decoder, as transformers reads it; with
                                     vocabulary.json where it has only the pieces its study uses
    head.safetensors                 what sits on it: the head, and the attention over layers; or
                                     before it: soft prompts
    tokenizer*.json                  the tokenizer
    model.json                       kind, labels, lengths, and what is asked and answered

    load(Path("results/predictions/demo/none-s1/models/world_new_classes"))([{"text_a": "..."}])

MLflow loads it by `_load_pyfunc` (records/tracking_models.py): no pickle, and nothing of DeepSpeed.
Answers are those of predictions.parquet; what decides the last bits of a stage is not set here.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor
from transformers import PreTrainedModel

from xstilts.core import files
from xstilts.core.errors import UserError
from xstilts.core.params import Target
from xstilts.core.passes import SCORED_TOKENS
from xstilts.kinds import modules
from xstilts.kinds.base import Row
from xstilts.kinds.spec import KINDS
from xstilts.model import prompts, tokenizer
from xstilts.model.checkpoint import load_encoder, load_seq2seq, save_encoder
from xstilts.model.heads import LayerAttention, WithHeads
from xstilts.model.seq2seq import EncoderDecoder, Model
from xstilts.training import predict
from xstilts.training.engine import Workers

FACTS, HEAD = "model.json", "head.safetensors"
# Kind -> what a row has (`?`: may be left out) and what its answer has.
ASKED = {
    "classification": {"text_a": "text", "text_b": "text?"},
    "tagging": {"tokens": "texts"},
    "span": {"context": "text", "question": "text"},
    "multiple_choice": {"context": "text", "question": "text?", "choices": "texts"},
    "generation": {"source": "text", "language": "text?"},  # that of the answer, where it is told
}
LEFT_OUT = {"text_b": None, "question": "", "language": ""}  # as prepared rows have it
ANSWERED = {
    "classification": {"label": "text", "probabilities": "numbers"},
    "tagging": {"tags": "texts"},
    "span": {"answer": "text"},
    "multiple_choice": {"choice": "number"},
    "generation": {"answer": "text"},
}
Answer = dict[str, Any]


def save(model: Model, target: Target, tokens: Path, folder: Path) -> None:
    """Write a target's model; equal models give equal bytes.

    Args:
        tokens: the folder with the tokenizer.
    """
    assert target.training is not None
    facts = {
        **target.model_dump(include={"task", "kind", "labels", "source_language"}),
        "layers": target.training.layers,
        "prompt": target.training.prompt,
        "lengths": modules.lengths(modules.get(target.kind), target.training),
        "beams": target.training.output.beams,
        **{"inputs": ASKED[target.kind], "outputs": ANSWERED[target.kind], "loader": __name__},
    }
    with files.output_folder(folder) as out:
        whole, rest = _parts(model)
        save_encoder(whole, out)
        if rest:
            told = {name: one.detach().cpu().contiguous() for name, one in rest.items()}
            save_file(told, out / HEAD, {"format": "pt"})
        for path in tokens.glob("*token*.json"):
            shutil.copyfile(path, out / path.name)
        files.write_json(out / FACTS, facts)


def _parts(model: Model) -> tuple[PreTrainedModel, dict[str, Tensor]]:
    """What transformers knows of a model, and the weights beside it."""
    if isinstance(model, WithHeads):
        own = model.state_dict().items()
        return model.encoder, {name: one for name, one in own if not name.startswith("encoder.")}
    if isinstance(model.encoder, PreTrainedModel):
        return model.encoder, {}
    return model.encoder.get_base_model(), prompts.vectors(model.encoder)


def load(folder: Path) -> Callable[[list[Row]], list[Answer]]:
    """A kept model as a function: rows, as `ASKED` says, to one answer a row, as `ANSWERED` says.

    Raises:
        UserError: the folder holds no kept model.
    """
    facts = files.read_json(folder / FACTS)
    kind, labels = modules.get(facts["kind"]), facts["labels"]
    net = _writer(folder, facts) if KINDS[facts["kind"]].decodes else _headed(folder, facts)
    told = _Probable(kind) if facts["kind"] == "classification" else kind
    alone, size = Workers(0, 1, torch.device("cpu")), SCORED_TOKENS["cpu"]
    how = (tokenizer.load(folder), facts["lengths"], size, alone)
    decode = predict.Decoder(net, told, labels, *how, beams=facts["beams"])
    asked, name = facts["inputs"], next(iter(facts["outputs"]))

    def answer(rows: list[Row]) -> list[Answer]:
        found = decode([_row(row, number, asked) for number, row in enumerate(rows)])
        if facts["kind"] == "classification":
            return [_labelled(parts, labels) for parts in found]
        return [{name: one} for one in found]

    return answer


def _headed(folder: Path, facts: dict[str, Any]) -> WithHeads:
    """An encoder under its head."""
    encoder = load_encoder(folder)
    width = encoder.config.hidden_size
    fused = {0: LayerAttention(width)} if facts["layers"] == "attention" else None
    head = modules.get(facts["kind"]).head(width, facts["labels"], 0.0)
    net = WithHeads(encoder, [head], fused)
    with _fitting(folder):
        lost, other = net.load_state_dict(load_file(folder / HEAD), strict=False)
    if other or any(not name.startswith("encoder.") for name in lost):
        raise _broken(folder, "it has other weights than model.json says")
    return net


def _writer(folder: Path, facts: dict[str, Any]) -> EncoderDecoder:
    """An encoder-decoder, with its soft prompts where it was tuned by them."""
    whole = load_seq2seq(folder)
    if facts["prompt"] is None:
        return EncoderDecoder(whole)
    with _fitting(folder):
        return EncoderDecoder(prompts.put(whole, load_file(folder / HEAD)))


@contextmanager
def _fitting(folder: Path) -> Iterator[None]:
    """Tell of weights beside a model that are missing, cut, or another model's."""
    try:
        yield
    except (SafetensorError, OSError, RuntimeError) as error:
        raise _broken(folder, error) from error


class _Probable(SimpleNamespace):
    """Classification that gives the probability of each label, in place of the best one."""

    def __init__(self, kind: Any) -> None:
        super().__init__(encode=kind.encode, decode=kind.decode)

    def outputs(self, output: torch.Tensor, features: list[Any]) -> list[Any]:
        """(the best label as the kind says, probabilities) of each row."""
        best, parts = output.argmax(-1).cpu(), output.float().softmax(-1).cpu()
        return [(int(one), own.tolist()) for one, own in zip(best, parts, strict=True)]


def _labelled(found: tuple[int, list[float]], labels: list[str]) -> Answer:
    best, parts = found
    return {"label": labels[best], "probabilities": dict(zip(labels, parts, strict=True))}


def _row(given: Row, number: int, asked: dict[str, str]) -> Row:
    """A row as its kind reads it: plain texts and lists of them, what may be left out filled in.

    Raises:
        UserError: a column is missing, or is no text or list of texts.
    """
    row: Row = {}
    for name, type_ in asked.items():
        value = given.get(name)
        if type_ == "text?" and (value is None or isinstance(value, float)):  # pandas' nan
            row[name] = LEFT_OUT[name]
            continue
        several = type_ == "texts"
        parts = list(value) if several and isinstance(value, Iterable) else [value]
        if not parts or isinstance(value, str) == several or not all(map(_is_text, parts)):
            what = "list of texts" if several else "text"
            raise UserError(f"row {number}: `{name}` is no {what}. Mend: give a {what}")
        row[name] = parts if several else value
    return row


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _broken(folder: Path, reason: object) -> UserError:
    return UserError(f"{folder} holds no usable model ({reason}). Mend: `dvc checkout` it")


class _Served:
    """What MLflow asks."""

    def __init__(self, folder: Path) -> None:
        self._answer = load(folder)

    def predict(self, model_input: Any, params: dict[str, Any] | None = None) -> list[Answer]:
        """Answers to the rows of a pandas table, or of a list."""
        known = hasattr(model_input, "to_dict")
        rows = model_input.to_dict("records") if known else list(model_input)
        return self._answer(rows)


def _load_pyfunc(path: str) -> _Served:
    """The way in for MLflow: `loader_module` of the flavor `python_function`."""
    return _Served(Path(path))
