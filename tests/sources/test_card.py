"""Cards come in several spellings; each must lead to the same files."""

import pytest

from xstilts.core.errors import UserError
from xstilts.sources import card

FILES = ["README.md", "de/test-0.parquet", "en/test-0.parquet", "en/train-0.parquet", "x/a/b.jsonl"]


def resolve(facts: dict, config: str, split: str) -> list[str]:
    return card.resolve(facts, FILES, config, split, "o/n")


def entry(files: object, **more: object) -> dict:
    return {"configs": [{"config_name": "en", "data_files": files, **more}]}


def test_a_list_of_splits_names_the_files() -> None:
    """The usual spelling, with a pattern and a plain path."""
    facts = entry([{"split": "train", "path": "en/train-*"}, {"split": "test", "path": FILES[2]}])
    assert resolve(facts, "en", "train") == ["en/train-0.parquet"]
    assert resolve(facts, "en", "test+train") == ["en/test-0.parquet", "en/train-0.parquet"]


@pytest.mark.parametrize("files", ["en/train-*", ["en/train-*"]])
def test_paths_without_a_split_are_train(files: object) -> None:
    """The hub's short spelling."""
    assert resolve(entry(files), "en", "train") == ["en/train-0.parquet"]


def test_a_data_dir_is_put_in_front() -> None:
    """`data_dir: en` and `train-*` mean en/train-*."""
    facts = entry([{"split": "train", "path": ["train-*"]}], data_dir="en")
    assert resolve(facts, "en", "train") == ["en/train-0.parquet"]


def test_stars_stay_within_a_folder_and_double_stars_do_not() -> None:
    """Else `*` of one config would take the files of others."""
    assert resolve(entry("**/*.jsonl"), "en", "train") == ["x/a/b.jsonl"]
    with pytest.raises(UserError, match=r"lacks \*\.jsonl, which its card names"):
        resolve(entry("*.jsonl"), "en", "train")


def test_without_a_card_the_usual_layout_is_tried() -> None:
    """The hub's converted branches have no card."""
    assert resolve({}, "en", "test") == ["en/test-0.parquet"]


def test_what_is_missing_is_named() -> None:
    """A person has to know whether the config, the split or the file is not there."""
    facts = entry([{"split": "test", "path": "en/test-*"}])
    with pytest.raises(UserError, match=r"no split 'train' of config 'en' \(it has: test\).*Mend"):
        resolve(facts, "en", "train")
    with pytest.raises(UserError, match=r"no config 'fr' with split 'test' \(it has: en\)"):
        resolve(facts, "fr", "test")


def test_a_card_that_is_no_yaml_is_one_clear_error() -> None:
    """A stack trace of the YAML parser helps nobody."""
    with pytest.raises(UserError, match="no valid YAML"):
        card.read("---\na: [\n---\n", "o/n/README.md")
    assert card.read("no front matter", "x") == {}
    for odd in (["en"], [{"config_name": "en", "data_files": [{"split": "test"}]}]):
        with pytest.raises(UserError, match="not as the hub writes them"):
            resolve({"configs": odd}, "en", "test")
