"""Makes src/xstilts/tasks/distances.csv: how far the tasks' languages are apart, by URIEL.

    pip download lang2vec==1.1.2 --no-deps
    python bench/language_distances.py lang2vec-1.1.2-py3-none-any.whl           writes the file
    python bench/language_distances.py lang2vec-1.1.2-py3-none-any.whl --check   compares with it

The wheel is read and not installed: it holds URIEL's vectors (Littell et al. 2017), but not the
distances that later versions of lang2vec download. What each kind of distance is stands in the head
of the file, and in docs/languages.md, how near it comes to lang2vec's.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import json
import zipfile
from itertools import combinations
from pathlib import Path

import numpy as np

from xstilts.core.errors import UserError
from xstilts.tasks.distances import FILE, HEADER, REAL

WHEEL = "bc43eddce15175ee1561c8a0566f56e42019d5987ea6c2890770a1b5d1f48fa4"
HEAD = """\
# How far the languages of the tasks are apart; each pair once; 0 is the same, 1 the farthest.
# syntactic   1 - cosine of 103 syntactic features of WALS, SSWL and Ethnologue (syntax_knn); what
#             these lack is predicted from languages that are near and related
# genetic     1 - shared nodes of Glottolog's tree (fam) / nodes of the longer path, itself included
# geographic  great-circle distance of the languages' places (geo) / half the earth's circumference
# Source: URIEL (Littell et al. 2017, https://aclanthology.org/E17-2002) in lang2vec 1.1.2.
# Licence of the source, and so of this file: CC BY-SA 4.0. Made by bench/language_distances.py.
"""


class Uriel:
    """The vectors in a wheel of lang2vec, by our language code."""

    def __init__(self, wheel: Path) -> None:
        content = wheel.read_bytes()
        if hashlib.sha256(content).hexdigest() != WHEEL:
            raise UserError(f"{wheel} is not lang2vec 1.1.2. Mend: `pip download lang2vec==1.1.2`")
        self.archive = zipfile.ZipFile(io.BytesIO(content))
        self.codes = json.loads(self.archive.read("lang2vec/data/letter_codes.json"))
        self.syntax = self._vectors("feature_predictions", "S_")
        self.family = self._vectors("family_features", "F_")
        self.places = self._vectors("geocoord_features", "GC_")

    def _vectors(self, name: str, prefix: str) -> dict[str, np.ndarray]:
        """Language -> (features,); of places the unit vector (3,) that its distances lead to."""
        with np.load(io.BytesIO(self.archive.read(f"lang2vec/data/{name}.npz"))) as file:
            features = [str(one) for one in file["feats"]]
            columns = [place for place, one in enumerate(features) if one.startswith(prefix)]
            rows = {str(one): number for number, one in enumerate(file["langs"])}
            data = file["data"][:, columns, 0].astype(float)
        found = {code: data[rows[self.codes[code]]] for code in REAL}
        if prefix != "GC_":
            return found
        fixed = np.array([_on_earth(features[column]) for column in columns])
        return {code: _place(fixed, vector) for code, vector in found.items()}

    def syntactic(self, one: str, other: str) -> float:
        """Of two languages; 0-1, as all features are."""
        a, b = self.syntax[one], self.syntax[other]
        return 1 - float(a @ b / np.linalg.norm(a) / np.linalg.norm(b))

    def genetic(self, one: str, other: str) -> float:
        """Of two languages that are not the same."""
        a, b = self.family[one] > 0, self.family[other] > 0
        return 1 - float((a & b).sum() / (max(a.sum(), b.sum()) + 1))

    def geographic(self, one: str, other: str) -> float:
        """Of two languages."""
        return float(np.arccos(np.clip(self.places[one] @ self.places[other], -1, 1)) / np.pi)


def _on_earth(name: str) -> list[float]:
    """`GC_-83_42` (latitude, longitude) as a unit vector."""
    latitude, longitude = np.radians([float(part) for part in name.split("_")[1:]])
    level = np.cos(latitude)
    return [level * np.cos(longitude), level * np.sin(longitude), np.sin(latitude)]


def _place(fixed: np.ndarray, distances: np.ndarray) -> np.ndarray:
    """Where a language is, from its distances to fixed points, by least squares."""
    vector = np.linalg.lstsq(fixed, np.cos(np.pi * distances), rcond=None)[0]
    return vector / np.linalg.norm(vector)


def table(uriel: Uriel) -> str:
    """The whole file."""
    lines = [HEAD + ",".join(HEADER)]
    for pair in combinations(REAL, 2):
        kinds = (uriel.syntactic(*pair), uriel.genetic(*pair), uriel.geographic(*pair))
        lines.append(",".join([*pair, *(f"{value:.4f}" for value in kinds)]))
    return "\n".join(lines) + "\n"


def main() -> None:
    """Write the file, or compare it."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("wheel", type=Path)
    parser.add_argument("--check", action="store_true")
    arguments = parser.parse_args()
    made, path = table(Uriel(arguments.wheel)), Path(str(FILE))
    if not arguments.check:
        path.write_text(made, encoding="utf-8")
    equal = path.read_text(encoding="utf-8") == made
    print(f"{path}: {'equal' if equal else 'different'}")
    raise SystemExit(0 if equal else 1)


if __name__ == "__main__":
    main()
