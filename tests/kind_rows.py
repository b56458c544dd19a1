"""Rows of each trained kind, of unlike lengths, for tests of batches."""

from typing import Any

LABELS = ["a", "b", "c"]
ANSWER = [{"text": "nemoti", "start": 7}]
ROWS: dict[str, list[dict[str, Any]]] = {
    "classification": [
        {"text_a": "tapika " * n, "text_b": "nemoti" if n % 2 else None, "label": n % 3}
        for n in (1, 5, 2, 13)
    ],
    "multiple_choice": [
        {
            "context": "tapika " * n,
            "question": "42",
            "choices": ["nemoti"] + ["x " * n] * n,
            "label": 1,
        }
        for n in (1, 3, 2, 4)
    ],
    "span": [
        {"context": "tapika nemoti " * n, "question": "x", "answers": ANSWER[: n % 2]}
        for n in (1, 5, 30, 2)
    ],
    "tagging": [{"tokens": ["tapika", "бвгдае"] * n, "tags": [1, 2] * n} for n in (1, 5, 2, 20)],
    "mlm": [{"text": "tapika nemoti " * n, "pair": "x" * (n % 2) or None} for n in (1, 5, 2, 12)],
}
