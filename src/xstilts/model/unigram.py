"""Train a SentencePiece-style unigram tokenizer on a study's own text, in XLM-R's layout of ids.

`train_unigram(texts, vocab_size, folder)` writes tokenizer.json and tokenizer_config.json, which
`model.tokenizer.load` reads. Ids: <s>=0 <pad>=1 </s>=2 <unk>=3, pieces, <mask> last.

The trainer of the `tokenizers` library walks hash maps in random order, so equal texts give other
scores in each process. Here the same library only cuts words (Viterbi, with given pieces), and
counting and pruning are done in a fixed order: equal texts give equal bytes, on every machine.
"""

from __future__ import annotations

import math
import unicodedata
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from xstilts.core.errors import UserError
from xstilts.core.files import write_bytes, write_json

if TYPE_CHECKING:
    from tokenizers import Tokenizer

SPECIAL = ("<s>", "<pad>", "</s>", "<unk>")
MASK = "<mask>"
SPACE = "▁"
LONGEST = 12  # characters in a piece
COVERAGE = 0.9995  # share of all characters that are pieces of their own; the rest are unknown
SEEDS_PER_PIECE = 8  # candidate pieces for each piece that is kept
KEEP = 0.7  # share of the pieces that outlive a round
ROUNDS = 2  # re-estimations between prunings
MOST_WORDS = 150_000  # the most frequent words are looked at
CLASSES = {"L": "letter", "M": "letter", "N": "digit"}  # Unicode's categories; the rest: signs
DIGITS = 6  # decimals of a score


def train_unigram(texts: Iterable[str], vocab_size: int, folder: Path) -> None:
    """Train on `texts` and write the tokenizer into `folder`; equal texts give equal bytes.

    Args:
        texts: any number of texts, in any order.
        vocab_size: all ids, the five special ones included. Fewer come out if the texts are few.
        folder: gets tokenizer.json and tokenizer_config.json.

    Raises:
        UserError: no texts, or a vocabulary too small for the characters of the texts.
    """
    words = _count_words(texts)
    if not words:
        raise UserError("no text to train a tokenizer on. Mend: give texts that are not empty")
    room = vocab_size - len(SPECIAL) - 1
    letters = _letters(words)
    if room < len(letters):
        need = len(letters) + len(SPECIAL) + 1
        raise UserError(
            f"vocab_size {vocab_size} is too small for the {len(letters)} characters of the texts. "
            f"Mend: give at least {need}"
        )
    scores = _scores(_candidates(words, room * SEEDS_PER_PIECE), letters)
    while True:
        for _ in range(ROUNDS):
            counts = _piece_counts(words, scores)
            scores = _scores(counts, letters)
        if len(scores) <= room:
            break
        goal = max(room, int(len(scores) * KEEP))
        scores = _scores(_best(counts, letters, goal), letters)
    _save(sorted(scores.items(), key=lambda item: (-item[1], item[0])), folder)


def _frame(pieces: list[tuple[str, float]]) -> Tokenizer:
    """A `tokenizers.Tokenizer` with XLM-R's normaliser, cutting, and layout of pairs."""
    from tokenizers import (
        AddedToken,
        Regex,
        Tokenizer,
        decoders,
        models,
        normalizers,
        pre_tokenizers,
        processors,
    )

    vocab = [*((token, 0.0) for token in SPECIAL), *pieces, (MASK, 0.0)]
    tokenizer = Tokenizer(models.Unigram(vocab, unk_id=SPECIAL.index("<unk>")))
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.NFKC(), normalizers.Replace(Regex(r"\s+"), " ")]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Metaspace(SPACE, prepend_scheme="always")]
    )
    tokenizer.decoder = decoders.Metaspace(SPACE, prepend_scheme="always")
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>",
        pair="<s> $A </s> </s> $B </s>",
        special_tokens=[("<s>", 0), ("</s>", 2)],
    )
    tokenizer.add_special_tokens([AddedToken(token, special=True) for token in SPECIAL])
    tokenizer.add_special_tokens([AddedToken(MASK, lstrip=True, special=True)])
    return tokenizer


def _save(pieces: list[tuple[str, float]], folder: Path) -> None:
    """Write both files; the class is the generic one, which takes all from tokenizer.json."""
    write_bytes(folder / "tokenizer.json", (_frame(pieces).to_str(pretty=True) + "\n").encode())
    config = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "bos_token": "<s>",
        "cls_token": "<s>",
        "eos_token": "</s>",
        "sep_token": "</s>",
        "pad_token": "<pad>",
        "unk_token": "<unk>",
        "mask_token": MASK,
        "model_input_names": ["input_ids", "attention_mask"],
        "model_max_length": 512,
    }
    write_json(folder / "tokenizer_config.json", config)


def _count_words(texts: Iterable[str]) -> dict[str, int]:
    """The most frequent words, each with the mark of its space, in a fixed order -> count."""
    normalise = _frame([]).normalizer.normalize_str
    counts: Counter[str] = Counter()
    for text in texts:
        counts.update(normalise(text).split())
    ranked = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return {SPACE + word: count for word, count in ranked[:MOST_WORDS]}


def _letters(words: dict[str, int]) -> list[str]:
    """The most frequent characters that together make up `COVERAGE` of the text."""
    counts: Counter[str] = Counter()
    for word, count in words.items():
        for letter in word:
            counts[letter] += count
    total, covered, letters = sum(counts.values()), 0, []
    for letter, count in sorted(counts.items(), key=lambda item: (-item[1], item[0])):
        if covered >= COVERAGE * total:
            break
        letters.append(letter)
        covered += count
    return letters


def _candidates(words: dict[str, int], most: int) -> dict[str, int]:
    """Substrings of words that may become pieces, ranked by count times length -> count.

    Length by length: a substring is counted only where the one shorter by its last character was
    frequent, so memory stays small in scripts without spaces.
    """
    common: Counter[str] = Counter()
    alive = {letter for word in words for letter in word}
    least = 2 if len(words) < 10_000 else 5
    for length in range(2, LONGEST + 1):
        counts: Counter[str] = Counter()
        for word, count in words.items():
            for start in range(len(word) - length + 1):
                if word[start : start + length - 1] in alive:
                    counts[word[start : start + length]] += count
        kept = {piece: n for piece, n in counts.items() if n >= least and _is_whole(piece)}
        common.update(kept)
        alive = set(kept)
    ranked = sorted(common.items(), key=lambda item: (-item[1] * len(item[0]), item[0]))
    return dict(ranked[:most])


def _is_whole(piece: str) -> bool:
    """A space mark only in front; letters, digits and other signs never in one piece."""
    classes = {CLASSES.get(unicodedata.category(letter)[0], "sign") for letter in piece[1:]}
    if piece[0] != SPACE:
        classes.add(CLASSES.get(unicodedata.category(piece[0])[0], "sign"))
    return len(classes) == 1 and SPACE not in piece[1:]


def _piece_counts(words: dict[str, int], scores: dict[str, float]) -> dict[str, int]:
    """How often each piece is used in the best cut of all words."""
    from tokenizers import Tokenizer, models

    pieces = sorted(scores.items(), key=lambda item: (-item[1], item[0]))
    tokenizer = Tokenizer(models.Unigram([("<unk>", 0.0), *pieces], unk_id=0))
    counts: Counter[str] = Counter()
    spelled = list(words)
    for start in range(0, len(spelled), 10_000):
        batch = spelled[start : start + 10_000]
        for word, encoding in zip(batch, tokenizer.encode_batch(batch), strict=True):
            for piece in encoding.tokens:
                counts[piece] += words[word]
    return {piece: counts[piece] for piece, _ in pieces if counts[piece]}


def _best(counts: dict[str, int], letters: list[str], goal: int) -> dict[str, int]:
    """The `goal` most used pieces, single letters always among them."""
    single = {letter: counts.get(letter, 1) for letter in letters}
    ranked = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    others = [item for item in ranked if item[0] not in single]
    return single | dict(others[: goal - len(single)])


def _scores(counts: dict[str, int], letters: list[str]) -> dict[str, float]:
    """Log probabilities of the pieces; a letter that is never used counts as used once."""
    full = dict.fromkeys(letters, 1) | counts
    total = math.log(sum(full.values()))
    return {piece: round(math.log(count) - total, DIGITS) for piece, count in full.items()}
