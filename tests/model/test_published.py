"""The table of encoders: each name is one checkpoint, pinned or plainly not, whose sizes fit."""

import re

import pytest

from xstilts.model import published
from xstilts.model.published import ENCODERS


@pytest.mark.parametrize("name", ENCODERS)
def test_what_is_said_of_an_encoder_fits_together(name: str) -> None:
    """A digit too many would make a plan that is ten times off."""
    one = ENCODERS[name]
    assert re.fullmatch(r"[\w.-]+/[\w.-]+", one.hub)
    assert one.revision is None or re.fullmatch(r"[0-9a-f]{40}", one.revision)
    layer = 12 * one.hidden**2  # attention, and a feed-forward part four times as wide
    assert 0.4 < (one.parameters - one.embeddings) / (layer * one.layers) < 1.2
    assert 0.1 < one.embeddings / one.parameters < 0.85  # E5 Small: 250,037 pieces, 12 layers


def test_an_encoder_is_found_by_its_hub_id_too() -> None:
    """A study that names the hub id has its layers checked all the same."""
    assert len({one.hub for one in ENCODERS.values()}) == len(ENCODERS)
    assert all(published.by_hub(one.hub) is one for one in ENCODERS.values())
    assert published.by_hub("org/name") is None
