"""LAReQA on XQuAD-R: 13,090 questions, 13,014 sentences, eleven languages in one pool.

A question is to find the sentences that answer it in all languages alike, its own included.
"""

from __future__ import annotations

from xstilts.tasks.base import Row, Task

COMMIT = "9bc8c7fb6dd8d01d72a05a93c2cb96882b0d299c"
ROOT = f"https://raw.githubusercontent.com/google-research-datasets/lareqa/{COMMIT}/xquad-r"
# Whichever language is asked in, the answers lie in all: every file is needed for each.
FILES = {
    f"{ROOT}/ar.json": "c52922d3b8ac1ae03ed5ac38647ad59870dca3dda2beefe18ecdc30729acb69d",
    f"{ROOT}/de.json": "16fb0f4bf4916154b585a20c24c66074591c9718a1affe764ff4697572328949",
    f"{ROOT}/el.json": "163fd43ee785a30eb534ae2061e9eaa766a7ee4e8ffce5e4b422480c150f64b6",
    f"{ROOT}/en.json": "7b0954f39297c27a31fef610f0883337dd2907fa8699151dc922afdd0fa12ffe",
    f"{ROOT}/es.json": "f8e836b2d91009c4363e04315f7ede363eedbbb49c67dda60de6c4aa782f58de",
    f"{ROOT}/hi.json": "ea45ba8ae4513d1533b222bebdc02a90bc319c055d3aeea68584a053d2e92872",
    f"{ROOT}/ru.json": "7f4dff853538b9a5fcc28c070b8bb983a5c5d190ac747b8e005a1ada9cab18f1",
    f"{ROOT}/th.json": "c3a041864c3a9fb0b4dd91cfdf99cf36b411b3e704c58a303c97bc6dc786cfe4",
    f"{ROOT}/tr.json": "f3e8c13002bbce154a4578f535f7533cb70f3da08840e6b62735935baec7bd94",
    f"{ROOT}/vi.json": "e35926bf5cc6fc6ecbdfca49467aabeb454f08d152d7818143a906bd31dde995",
    f"{ROOT}/zh.json": "80c2cde7b9c2fb134c303cbb52f2ba396ead9eb0014aec43993543d2ba9e93ed",
}


def convert(row: Row, language: str) -> Row | None:
    """A candidate (with the paragraph around it), or a question that some sentence answers."""
    if "pair" not in row and not row["relevant"]:
        return None
    return {
        "id": row["id"],
        "text": row["text"],
        "pair": row.get("pair"),
        "relevant": row.get("relevant", []),
        "positive": None,
        "positive_pair": None,
    }


TASK = Task(
    name="lareqa",
    title="LAReQA",
    description="Which sentences, in any of eleven languages, answer the question?",
    kind="ranking",
    dataset="google-research-datasets/lareqa",
    revision=None,
    licence="cc-by-sa-4.0",
    reference="https://aclanthology.org/2020.emnlp-main.477",
    languages=("ar", "de", "el", "en", "es", "hi", "ru", "th", "tr", "vi", "zh"),
    train_languages=(),
    splits={},
    urls={"test": FILES, "candidates": FILES},
    parse="lareqa",
    convert=convert,
    metric="map_at_20",
    chance=0.0,  # 11 right ones among 13,014
    evaluation="test",
    train_task="squad_retrieval",
    protocols=("xtreme-r",),
)
