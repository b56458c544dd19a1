"""HyperQueue where there is no server: one line. With one: tests/whole/test_hyperqueue.py."""

from pathlib import Path

import pytest

from xstilts.commands.submit import ledger
from xstilts.commands.submit.show import show_submit
from xstilts.core.errors import UserError


@pytest.mark.usefixtures("studied")
def test_a_server_that_is_not_there_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It says what to start; and what was not handed over has no job."""
    monkeypatch.setenv("HQ_SERVER_DIR", str(tmp_path / "nobody"))
    with pytest.raises(UserError, match=r"no HyperQueue server answers .* Mend: `hq server"):
        show_submit("hq", dry_run=False)
    assert not ledger.submissions()
    show_submit("slurm", dry_run=False)
    assert len(ledger.submissions()[-1].submitted()) == 15
