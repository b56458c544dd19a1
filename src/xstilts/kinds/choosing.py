"""What classification and multiple choice share: one number is predicted for each row."""

from __future__ import annotations

from typing import Any

from xstilts.kinds import Feature, Row


def weight(feature: Feature) -> int:
    """One loss term a row."""
    return 1


def decode(
    outputs: list[Any], features: list[Feature], rows: list[Row], labels: list[str]
) -> list[int]:
    """One label, or number of a choice, a row."""
    return list(outputs)


def references(rows: list[Row], labels: list[str]) -> list[int]:
    """Gold labels, or numbers of the right choices."""
    return [row["label"] for row in rows]
