"""The pieces of a published vocabulary that a study's texts use, and no more of its embedding.

An embedding is most of a multilingual encoder (96 of the 118 million weights of
multilingual-e5-small), and a study reads a small part of it. With `pretrain: {vocabulary: used}`
the checkpoints of a study are as usual, but

    model.safetensors   has the rows that are kept, in their old order
    config.json         `vocab_size` says how many they are
    vocabulary.json     says which they are, and of which checkpoint: `Vocabulary`

Tokenizer and token ids stay the published ones: only `UsedEmbedding` knows which row an id has.
`checkpoint.load_encoder` and `checkpoint.save_encoder` are the ways in and out.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field, model_validator
from torch import Tensor, nn
from transformers import PreTrainedModel

from xstilts.core import files
from xstilts.core.errors import UserError
from xstilts.core.strict import Strict, parse
from xstilts.model.tokenizer import special_ids

NAME = "vocabulary.json"
MEND = "`dvc checkout` its folder, or rerun the stage that makes it"


class Vocabulary(Strict):
    """Which pieces of a published checkpoint's vocabulary are kept; the first three say whose."""

    source: str
    model: str
    revision: str | None
    pieces: int = Field(gt=0)  # rows of the published embedding
    kept: list[int] = Field(min_length=1)  # ids, ascending

    @model_validator(mode="after")
    def in_order(self) -> Vocabulary:
        """As rows are: an embedding's gradient is then added up as that of the whole one."""
        ids = np.array(self.kept)
        if ids[0] < 0 or ids[-1] >= self.pieces or (np.diff(ids) <= 0).any():
            raise ValueError("`kept` is no ascending list of ids")
        return self


class UsedEmbedding(nn.Embedding):
    """An embedding of some pieces: published ids [any shape] -> vectors [any shape, hidden].

    Attributes:
        place: [published pieces], the row of each id; -1 where it is not kept. `check` looks.
        vocabulary: the pieces.
    """

    place: Tensor

    def __init__(self, rows: Tensor, vocabulary: Vocabulary, padding: int | None) -> None:
        """Args: rows: [kept pieces, hidden]; padding: the id whose row is not trained."""
        row = None if padding is None else vocabulary.kept.index(padding)
        super().__init__(rows.shape[0], rows.shape[1], padding_idx=row, _weight=rows)
        self.vocabulary = vocabulary
        place = torch.full((vocabulary.pieces,), -1, dtype=torch.int32)
        place[torch.tensor(vocabulary.kept)] = torch.arange(len(rows), dtype=torch.int32)
        self.register_buffer("place", place, persistent=False)

    def forward(self, input: Tensor) -> Tensor:
        """See the class."""
        return super().forward(self.place[input])


def kept_ids(used: Iterable[int], tokenizer: Any, encoder: PreTrainedModel) -> list[int]:
    """The ids of the pieces to keep: the used ones, and all that stand for no text.

    So is every id up to the padding's, for which transformers asks that it is a row.
    """
    padding = encoder.get_input_embeddings().padding_idx
    return sorted({*used, *special_ids(tokenizer), *range((padding or 0) + 1)})


def cut(encoder: PreTrainedModel, vocabulary: Vocabulary) -> None:
    """Leave an encoder's embedding only the rows that are kept."""
    whole = encoder.get_input_embeddings()
    rows = whole.weight.detach()[torch.tensor(vocabulary.kept)]
    encoder.config.vocab_size = len(rows)
    encoder.set_input_embeddings(UsedEmbedding(rows, vocabulary, whole.padding_idx))


def load(model: PreTrainedModel, folder: Path) -> None:
    """Put ids in the place of rows, where the folder that a model came from has only some pieces.

    Raises:
        UserError: the list of them is broken, or is that of another checkpoint.
    """
    path = folder / NAME
    if not path.exists():
        return
    vocabulary = parse(Vocabulary, files.read_json(path), path, MEND)
    plain = model.get_input_embeddings()
    if len(plain.weight) != len(vocabulary.kept):
        wrong = f"{len(vocabulary.kept)} pieces, and the embedding has {len(plain.weight)} rows"
        raise UserError(f"{path} has {wrong}. Mend: {MEND}")
    own = UsedEmbedding(plain.weight.detach(), vocabulary, plain.padding_idx)
    model.set_input_embeddings(own)


def save(encoder: PreTrainedModel, folder: Path) -> None:
    """Write which pieces an encoder has, where it has not all."""
    if (own := of(encoder)) is not None:
        files.write_json(folder / NAME, own.vocabulary.model_dump())


def of(model: nn.Module) -> UsedEmbedding | None:
    """The embedding of some pieces that is in a model; None where it has all."""
    return next((one for one in model.modules() if isinstance(one, UsedEmbedding)), None)


def restore(encoder: PreTrainedModel, published: PreTrainedModel) -> None:
    """Give an encoder the published rows that it lacks; its own stay as they are.

    Raises:
        UserError: they are those of another checkpoint.
    """
    own = of(encoder)
    if own is None:
        return
    whole = published.get_input_embeddings()
    if len(whole.weight) != own.vocabulary.pieces:
        raise UserError(
            f"{own.vocabulary.model} has {len(whole.weight)} pieces, and had "
            f"{own.vocabulary.pieces} when its pieces were chosen. Mend: put the checkpoint of "
            f"then at its place in {own.vocabulary.source}"
        )
    rows = whole.weight.detach().clone()
    rows[torch.tensor(own.vocabulary.kept)] = own.weight.detach()
    encoder.config.vocab_size = len(rows)
    plain = nn.Embedding(rows.shape[0], rows.shape[1], whole.padding_idx, _weight=rows)
    encoder.set_input_embeddings(plain)


def ids_of(features: Sequence[dict[str, Any]]) -> NDArray[np.int64]:
    """The token ids of all sequences of features, one after the other."""
    sequences = chain.from_iterable(feature["ids"] for feature in features)
    return np.fromiter(chain.from_iterable(sequences), dtype=np.int64)


def check(model: nn.Module, features: Sequence[dict[str, Any]]) -> None:
    """See that a model has the vectors of all pieces of features, before it reads the first batch.

    Raises:
        UserError: it lacks one.
    """
    own = of(model)
    if own is None:
        return
    place = own.place.cpu().numpy()
    if (place[ids_of(features)] >= 0).all():
        return
    number = next(i for i, one in enumerate(features) if (place[ids_of([one])] < 0).any())
    ids = ids_of([features[number]])
    lacking, known = int(ids[place[ids] < 0][0]), own.vocabulary
    row = features[number].get("row", number)
    raise UserError(
        f"row {row} has a piece (number {lacking} of {known.model}) that is not among "
        f"the {len(known.kept)} of {known.pieces} which the study's own texts use. Mend: give the "
        "model all pieces by `xstilts export`, or take the text into the study"
    )
