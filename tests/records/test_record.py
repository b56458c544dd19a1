"""Records: equal work is equal to the byte."""

from pathlib import Path

from xstilts.core import design, files
from xstilts.records import record


def test_equal_work_gives_equal_bytes(prepared: Path) -> None:
    """A time, a host, a hash of code or an unsorted set in it would make every dvc.lock differ."""
    loaded = design.load()
    spec = loaded.subsample["world_qa-qaa-s1"]
    inputs = [Path(spec.subsets[0].rows[0]), Path("params.yaml"), Path(spec.subsets[0].rows[0])]
    for number, given in enumerate((inputs, inputs[::-1])):
        made = record.make(loaded, "subsample", "k", spec, given, {"rows": 1.0})
        files.write_json(Path(f"{number}.json"), made)
    assert Path("0.json").read_bytes() == Path("1.json").read_bytes()
    assert made["inputs"] == {str(path): files.sha256_file(path) for path in sorted(set(inputs))}
    assert made["params"] == spec.model_dump()
    assert set(made) == {
        *("stage", "key", "study", "params", "inputs", "metrics", "curves", "artifacts"),
    }
