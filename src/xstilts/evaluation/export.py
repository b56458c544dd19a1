"""A study's model as a folder that plain transformers loads, with the whole published vocabulary.

    xstilts export results/predictions/paper/none-s1/models/xnli xnli-model

    AutoModelForSequenceClassification.from_pretrained("xnli-model")
    AutoTokenizer.from_pretrained("xnli-model")

A model of a target comes with its head, in the class that transformers has for it; an
encoder-decoder comes whole, and any other checkpoint as an encoder. Where a study keeps only the
pieces that it uses, the others are read from the published checkpoint, as it was when it was
fetched. kept.py loads the folder, too.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import transformers
from safetensors.torch import load_file
from torch import Tensor
from transformers import PreTrainedModel

from xstilts.core import files
from xstilts.core.errors import UserError
from xstilts.evaluation.kept import FACTS, HEAD
from xstilts.model import tokenizer, vocabulary
from xstilts.model.checkpoint import FAMILIES, load_any, load_encoder
from xstilts.sources import obtain

CLASSES = {
    "classification": "AutoModelForSequenceClassification",
    "multiple_choice": "AutoModelForMultipleChoice",
    "tagging": "AutoModelForTokenClassification",
    "span": "AutoModelForQuestionAnswering",
}
# What transformers calls the layers of our heads: (architecture, kind) -> dense, projection.
POOLED = {
    ("xlm-roberta", "classification"): ("classifier.dense", "classifier.out_proj"),
    ("xlm-roberta", "multiple_choice"): ("roberta.pooler.dense", "classifier"),
    ("bert", "classification"): ("bert.pooler.dense", "classifier"),
    ("bert", "multiple_choice"): ("bert.pooler.dense", "classifier"),
    ("deberta-v2", "classification"): ("pooler.dense", "classifier"),
    ("deberta-v2", "multiple_choice"): ("pooler.dense", "classifier"),
}
PLAIN = {"tagging": "classifier", "span": "qa_outputs"}


def export(source: Path, folder: Path) -> str:
    """Write a checkpoint of a study, or a kept model, into a new folder; the class that loads it.

    Raises:
        UserError: there is no such model, the folder is there, the published checkpoint cannot be
            had, or the model has soft prompts.
    """
    if folder.exists():
        raise UserError(f"{folder} is there already. Mend: name a new folder")
    if not (source / "config.json").is_file():
        raise UserError(
            f"{source} holds no model. Mend: name one, as models/intermediate/STUDY/RUN or "
            "results/predictions/STUDY/RUN/models/TARGET"
        )
    model, words = load_any(source), tokenizer.load(_tokens(source))
    _complete(model, folder)
    kept = [name for name in (FACTS, HEAD) if (source / name).is_file()]
    whole = _with_head(model, source) if HEAD in kept else model
    with files.output_folder(folder) as out:
        whole.save_pretrained(out)
        words.save_pretrained(out)
        for name in kept:
            shutil.copyfile(source / name, out / name)
    return type(whole).__name__


def show_export(source: Path, folder: Path) -> None:
    """Export a model, and say how it is loaded."""
    name = export(source, folder)
    print(f"{folder}: transformers.{name}.from_pretrained({str(folder)!r}), and its tokenizer")


def _tokens(source: Path) -> Path:
    """Where the tokenizer of a checkpoint is: beside it, or with the model that it was made of."""
    if (source / "tokenizer.json").is_file() or not (source / "record.json").is_file():
        return source
    return Path(files.read_json(source / "record.json")["params"].get("checkpoint", source))


def _complete(encoder: PreTrainedModel, folder: Path) -> None:
    """Give an encoder the pieces that it lacks; those that it has stay as they were trained.

    Args:
        folder: where room is taken for the published checkpoint, meanwhile.
    """
    own = vocabulary.of(encoder)
    if own is None:
        return
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".published-", dir=folder.parent) as place:
        obtain.model(own.vocabulary, Path(place))
        vocabulary.restore(encoder, load_encoder(Path(place)))


def _with_head(encoder: PreTrainedModel, source: Path) -> PreTrainedModel:
    """A kept model in the class of transformers that has its head; the encoder where none has."""
    if FAMILIES[encoder.config.model_type].decodes:
        raise UserError(
            f"{source} was tuned by soft prompts, which transformers does not read: without them "
            "it is the model that it was before. Mend: ask it by xstilts.evaluation.kept.load"
        )
    facts, own = files.read_json(source / FACTS), load_file(source / HEAD)
    names = _names(encoder.config.model_type, facts)
    if names is None:
        return encoder
    config = encoder.config
    config.num_labels = len(facts["labels"]) or 2  # of a span: its start and end
    if facts["labels"]:
        config.id2label = dict(enumerate(facts["labels"]))
        config.label2id = {label: number for number, label in enumerate(facts["labels"])}
    if config.model_type == "deberta-v2":
        config.pooler_hidden_act, config.pooler_hidden_size = "tanh", config.hidden_size
    made: PreTrainedModel = getattr(transformers, CLASSES[facts["kind"]]).from_config(config)
    prefix = f"{made.base_model_prefix}."
    weights = {prefix + name: value for name, value in encoder.state_dict().items()}
    weights |= _renamed(own, names)
    made.load_state_dict(weights)
    return made.eval()


def _names(architecture: str, facts: Mapping[str, Any]) -> dict[str, str] | None:
    """Our name of each layer of a head -> that of transformers; None where it has no such head.

    The heads of ModernBERT have a norm that ours have not; attention over layers nobody has.
    """
    kind = facts["kind"]
    if facts["layers"] != "last" or (architecture, "classification") not in POOLED:
        return None
    if kind in PLAIN:
        return {"heads.0.project": PLAIN[kind]}
    return dict(zip(("heads.0.dense", "heads.0.project"), POOLED[architecture, kind], strict=True))


def _renamed(weights: Mapping[str, Tensor], names: Mapping[str, str]) -> dict[str, Tensor]:
    """A head's weights under the names of transformers."""
    split = ((*name.rpartition("."), value) for name, value in weights.items())
    return {f"{names[layer]}.{last}": value for layer, _, last, value in split}
