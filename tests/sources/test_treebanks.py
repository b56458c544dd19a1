"""Treebanks as XTREME reads them: contractions stay as they are written, under their head's tag."""

import io
import tarfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xstilts import tasks
from xstilts.core.errors import UserError
from xstilts.rows import read
from xstilts.sources import treebanks
from xstilts.sources.places import url_path
from xstilts.tasks.shapes import UPOS

# word, form, tag, head; a contraction is "first-last" and its form
Words = list[tuple[str, str, str, str]]
DU = [
    ("1", "Fils", "NOUN", "0"),
    *[("2-3", "du", "_", "_"), ("2", "de", "ADP", "4"), ("3", "le", "DET", "4")],
    ("4", "roi", "NOUN", "1"),
]


def conllu(*sentences: Words, enhanced: str = "_") -> list[str]:
    """Lines of a file; `enhanced` is the ninth column of every word."""
    lines = []
    for words in sentences:
        lines.append("# text = made up\n")
        for number, form, tag, head in words:
            columns = [number, form, "_", tag, "_", "_", head, "_", enhanced, "_"]
            lines.append("\t".join(columns) + "\n")
        lines.append("\n")
    return lines


def row(words: Words, language: str = "xx", enhanced: str = "_") -> list[tuple[str, str]]:
    """The tokens of one sentence with their tags."""
    (found,) = treebanks.sentences(conllu(words, enhanced=enhanced), language)
    return list(zip(found["tokens"], found["pos_tags"], strict=True))


def test_a_contraction_has_the_tag_of_the_word_that_stands_highest() -> None:
    """Both words of `zum` hang under the noun; of `damit` one hangs under the other."""
    inside = [("1-2", "dit", "_", "_"), ("1", "d", "X", "2"), ("2", "it", "SCONJ", "0")]
    assert row(inside) == [("dit", "SCONJ")]
    assert row(DU) == [("Fils", "NOUN"), ("du", "ADP"), ("roi", "NOUN")]


@pytest.mark.parametrize(("language", "tag"), [("xx", "PRON"), ("es", "PRON"), ("it", "ADV")])
def test_equally_high_words_are_told_by_the_list_of_the_language(language: str, tag: str) -> None:
    """Italian puts adverbs before pronouns; Spanish has no adverbs in its list, so they lose."""
    words = [("1-2", "xy", "_", "_"), ("1", "x", "ADV", "3"), ("2", "y", "PRON", "3")]
    assert row([*words, ("3", "z", "VERB", "0")], language)[0] == ("xy", tag)


def test_enhanced_dependencies_count_as_heads() -> None:
    """XTREME's graph has them: the word that hangs under more others is no longer the highest."""
    lines = [
        *["1-2\txy\t_\t_\t_\t_\t_\t_\t_\t_", "1\tx\t_\tADP\t_\t_\t3\t_\t3:case|4:dep\t_"],
        *["2\ty\t_\tDET\t_\t_\t3\t_\t3:det|4.1:dep\t_", "3\tz\t_\tNOUN\t_\t_\t0\t_\t0:root\t_"],
        *["4\tw\t_\tX\t_\t_\t3\t_\t_\t_", "4.1\tq\t_\tX\t_\t_\t_\t_\t3:dep\t_", ""],
    ]
    (found,) = treebanks.sentences(lines, "xx")
    assert found == {"tokens": ["xy", "z", "w"], "pos_tags": ["DET", "NOUN", "X"]}


def test_what_is_hidden_is_left_out_and_marks_inside_of_words_go() -> None:
    """Treebanks without text have `_`; a lone one among words stays, as in XTREME."""
    hidden = [("1", "_", "NOUN", "0"), ("2", "_", "VERB", "1"), ("3", ".", "PUNCT", "1")]
    some = [("1", "_", "X", "0"), ("2", "a\u200cb", "NOUN", "1"), ("3", "10 000", "NUM", "1")]
    found = list(treebanks.sentences(conllu(hidden, some), "xx"))
    assert [one["tokens"] for one in found] == [[], ["_", "ab", "10000"]]


@pytest.mark.parametrize("line", ["1\ta\tNOUN", "x\ta" + "\t_" * 8])
def test_a_line_that_is_no_word_is_refused(line: str) -> None:
    """A tab too few would shift the tags."""
    with pytest.raises(ValueError, match=r"columns are expected|invalid literal"):
        list(treebanks.sentences([line], "xx"))


@st.composite
def sentences(draw: st.DrawFn) -> tuple[Words, list[tuple[int, int]]]:
    """Words with any heads, also in circles, and contractions that do not overlap."""
    count = draw(st.integers(1, 8))
    words = []
    for number in range(1, count + 1):
        tag, head = draw(st.sampled_from(UPOS)), draw(st.integers(0, count))
        words.append((str(number), f"w{number}", tag, str(head)))
    cuts = sorted(draw(st.sets(st.integers(1, count + 1), max_size=4)))
    spans = [(a, b - 1) for a, b in zip(cuts[::2], cuts[1::2], strict=False) if b - a > 1]
    return words, spans


@given(sentences())
def test_contractions_replace_their_words_and_nothing_else(
    made: tuple[Words, list[tuple[int, int]]],
) -> None:
    """Against heads that are counted by walking up, one step at a time."""
    words, spans = made
    lines = [(f"{a}-{b}", f"c{a}", "_", "_") for a, b in spans]
    found = row([*lines, *words])
    heads = {int(number): int(head) for number, _, _, head in words}

    def depth(start: int) -> int:
        seen: list[int] = []
        word = start
        while word in heads and heads[word] not in seen:
            word = heads[word]
            seen.append(word)
        return len(set(seen) - {start})

    left = {form: tag for _, form, tag, _ in words}
    for a, b in spans:
        depths = {word: depth(word) for word in range(a, b + 1)}
        highest = [word for word, steps in depths.items() if steps == min(depths.values())]
        order = treebanks.USUAL.split()
        tags = [words[word - 1][2] for word in highest]
        best = min(tags, key=lambda tag: order.index(tag) if tag in order else len(order))
        assert (f"c{a}", best) in found
        for word in range(a, b + 1):
            del left[f"w{word}"]
    assert {form: tag for form, tag in found if form[0] == "w"} == left


def lay_out(folder: Path, language: str, files: dict[str, list[str]]) -> None:
    """An archive of treebanks, as it is published, where a language's rows come from."""
    (url,) = tasks.load("udpos").addresses(language, "test")
    path = folder / url_path(url)
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w:gz") as out:
        for name, lines in files.items():
            info = tarfile.TarInfo(f"{path.stem}/{name}")
            text = "".join(lines).encode()
            info.size = len(text)
            out.addfile(info, io.BytesIO(text))


def test_all_treebanks_of_a_language_are_its_rows(tmp_path: Path) -> None:
    """By the code that file names begin with: Old French (fro) and Sami (sme) are others."""
    one = [[("1", form, "NOUN", "0")] for form in "abcde"]
    files = {
        "UD_French-Spoken/fr_spoken-ud-test.conllu": conllu(one[1]),
        "UD_French-FQB/fr_fqb-ud-test.conllu": conllu(one[0]),
        "UD_French-Spoken/fr_spoken-ud-dev.conllu": conllu(one[2]),
        "UD_Old_French-SRCMF/fro_srcmf-ud-test.conllu": conllu(one[3]),
        "UD_French-Spoken/fr_spoken-ud-test.txt": ["a\n"],
    }
    lay_out(tmp_path, "fr", files)
    task = tasks.load("udpos")
    found = read.read_split(task, tmp_path, "fr", "test")
    assert [row["tokens"] for row in found.rows] == [["a"], ["b"]]
    assert found.rows[0]["tags"] == [UPOS.index("NOUN")]
    with pytest.raises(UserError, match=r"v2\.5\.tgz has no file .*kk_\*-ud-test\.conllu\. Mend: "):
        read.read_split(task, tmp_path, "kk", "test")


def test_languages_that_xtreme_r_added_are_of_the_later_release(tmp_path: Path) -> None:
    """The scripts keep XTREME's languages as they were, so that its scores can be compared."""
    task = tasks.load("udpos")
    released = task.released(task.languages)
    assert released["ud-treebanks-v2.7"] == ["lt", "pl", "ro", "uk", "wo"]
    assert sorted(released["ud-treebanks-v2.5"]) == sorted(task.official["xtreme"])
    lay_out(tmp_path, "wo", {"UD_Wolof-WTB/wo_wtb-ud-test.conllu": conllu(DU)})
    (row,) = read.read_split(task, tmp_path, "wo", "test").rows
    assert row["tokens"] == ["Fils", "du", "roi"]


@pytest.mark.parametrize(
    ("lines", "says"),
    [
        (["1\ta\tb\n"], "10 columns are expected, not 3"),
        (conllu([("1-2", "ab", "_", "_"), ("1", "a", "X", "0")]), "IndexError"),
        (conllu([("1", "a", "NOUNS", "0")]), "KeyError: 'NOUNS'"),
    ],
)
def test_a_treebank_that_is_none_is_named(lines: list[str], says: str, tmp_path: Path) -> None:
    """Ten columns, words for each contraction, a universal tag."""
    lay_out(tmp_path, "wo", {"UD_Wolof-WTB/wo_wtb-ud-test.conllu": lines})
    with pytest.raises(UserError, match=rf"{says}.*Mend: ") as caught:
        read.read_split(tasks.load("udpos"), tmp_path, "wo", "test")
    assert "ud-treebanks-v2.7.tgz" in str(caught.value) or "udpos.wo.test" in str(caught.value)
