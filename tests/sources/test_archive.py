"""Archives are read where they lie; what could lead out of them or fill a disk is refused."""

import io
import os
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xstilts.core.errors import UserError
from xstilts.sources import archive

KINDS = ("a.zip", "a.tar", "a.tar.gz", "a.tgz", "a.tar.bz2")
NAME = st.text("ab.", min_size=1, max_size=4).filter(lambda name: name.strip("."))
PATHS = st.lists(st.lists(NAME, min_size=1, max_size=3).map("/".join), max_size=4, unique=True)


def pack(path: Path, files: dict[str, bytes]) -> Path:
    """Make an archive of the kind that its ending says."""
    if path.suffix == ".zip":
        with zipfile.ZipFile(path, "w") as out:
            for name, content in files.items():
                out.writestr(zipfile.ZipInfo(name), content, zipfile.ZIP_DEFLATED)
        return path
    mode: Any = {".gz": "w:gz", ".tgz": "w:gz", ".bz2": "w:bz2", ".tar": "w"}[path.suffix]
    with tarfile.open(path, mode) as out:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            out.addfile(info, io.BytesIO(content))
    return path


def content(path: Path, name: str) -> bytes:
    with archive.member(path, name) as stream:
        return stream.read()


@given(PATHS, st.sampled_from(KINDS))
def test_what_was_packed_is_read(paths: list[str], kind: str) -> None:
    """In the archive's order, by path and not by name, and nothing appears on disk."""
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        files = {path: path.encode() * 3 for path in paths}
        packed = pack(Path(folder) / kind, files)
        assert archive.names(packed) == paths
        assert {path: content(packed, path) for path in paths} == files
        assert [one.name for one in Path(folder).iterdir()] == [kind]


@given(st.sampled_from(KINDS), st.sampled_from(KINDS), PATHS)
def test_an_archive_in_an_archive_is_read_like_a_folder(
    outer: str, inner: str, paths: list[str]
) -> None:
    """WikiANN's zip has an archive a language; only the one that is asked for is opened."""
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        files = {path: path.encode() * 3 for path in paths}
        packed = pack(Path(folder) / inner, files)
        whole = pack(
            Path(folder) / f"whole-{outer}",
            {f"x/bad-{inner}": b"no archive", f"x/{inner}": packed.read_bytes()},
        )
        assert archive.names(whole) == [f"x/bad-{inner}", f"x/{inner}"]
        assert {path: content(whole, f"x/{inner}/{path}") for path in paths} == files
        with pytest.raises(UserError, match=rf"{outer}/x/{inner} has no file none\. Mend: "):
            content(whole, f"x/{inner}/none")
        with pytest.raises(UserError, match=rf"{outer}/x/bad-{inner} is corrupt .*Mend: "):
            content(whole, f"x/bad-{inner}/a")


def test_an_archive_that_has_changed_is_listed_anew(tmp_path: Path) -> None:
    """The list is remembered, as a long archive is asked for it by many languages."""
    packed = pack(tmp_path / "a.zip", {"a": b""})
    assert archive.names(packed) == ["a"]
    os.utime(pack(packed, {"b": b""}), ns=(0, 1))
    assert archive.names(packed) == ["b"]


def test_what_an_inner_archive_holds_is_checked_as_well(tmp_path: Path) -> None:
    """A path that leads out is refused, however deep it lies."""
    inner = pack(tmp_path / "en.tar.gz", {"../train": b"x"})
    whole = pack(tmp_path / "all.zip", {"en.tar.gz": inner.read_bytes()})
    with pytest.raises(UserError, match=r"all\.zip/en\.tar\.gz is refused: '\.\./train' leads out"):
        content(whole, "en.tar.gz/train")


@given(
    st.lists(NAME, max_size=2),
    st.lists(NAME, min_size=1, max_size=2),
    st.sampled_from(("..", "../..", "/", "C:", "..\\x")),
    st.sampled_from(("a.zip", "a.tar.gz")),
)
def test_paths_that_lead_out_are_refused(
    before: list[str], behind: list[str], bad: str, kind: str
) -> None:
    """Absolute, a drive, or with `..` anywhere; also where another member is asked for."""
    import tempfile

    first = bad in ("/", "C:")
    name = "/".join([*([] if first else before), bad, *behind])
    with tempfile.TemporaryDirectory() as folder:
        packed = pack(Path(folder) / kind, {name: b"x", "good": b"y"})
        for ask in (archive.names, lambda path: content(path, "good")):
            with pytest.raises(
                UserError, match=r"is refused: .* leads out of the archive\. Mend: "
            ):
                ask(packed)


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE])
def test_links_and_devices_are_refused(tmp_path: Path, kind: bytes) -> None:
    """A link would show whatever it points to as the archive's content."""
    with tarfile.open(tmp_path / "a.tar.gz", "w:gz") as out:
        info = tarfile.TarInfo("link")
        info.type, info.linkname = kind, "/etc/passwd"
        out.addfile(info)
    with pytest.raises(UserError, match="'link' is a link or a device"):
        archive.names(tmp_path / "a.tar.gz")


def test_links_in_a_zip_are_refused(tmp_path: Path) -> None:
    """There they are files with another mode."""
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as out:
        info = zipfile.ZipInfo("link")
        info.external_attr = 0o120777 << 16
        out.writestr(info, "/etc/passwd")
    with pytest.raises(UserError, match="'link' is a link or a device"):
        archive.names(tmp_path / "a.zip")


@pytest.mark.parametrize("kind", ["a.zip", "a.tar.bz2"])
def test_an_archive_that_grows_beyond_all_bounds_is_refused(
    tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By what it says of its sizes, before a byte is unpacked; many small files add up too."""
    monkeypatch.setattr(archive, "LIMIT", 1000)
    packed = pack(tmp_path / kind, {"a": b"0" * 600, "b": b"0" * 600})
    assert packed.stat().st_size < 400
    assert content(packed, "a") == b"0" * 600
    with pytest.raises(UserError, match="'b' unpacks to more than"):
        content(packed, "b")


def test_a_file_behind_a_password_is_refused(tmp_path: Path) -> None:
    """The library would ask for it with a stack trace."""
    packed = pack(tmp_path / "a.zip", {"a": b"x"})
    flagged = bytearray(packed.read_bytes())
    flagged[flagged.index(b"PK\x01\x02") + 8] |= 1
    packed.write_bytes(bytes(flagged))
    with pytest.raises(UserError, match="'a' needs a password"):
        archive.names(packed)


SPOILED: dict[str, Callable[[bytes], bytes]] = {
    "cut short": lambda old: old[: len(old) // 2],
    "no archive": lambda old: b"<html>404</html>" * 20,
    "empty": lambda old: b"",
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("spoil", SPOILED.values(), ids=list(SPOILED))
def test_a_damaged_archive_is_named(
    tmp_path: Path, kind: str, spoil: Callable[[bytes], bytes]
) -> None:
    """Half a download, or the page of an error instead of a file."""
    packed = pack(tmp_path / kind, {"a": bytes(range(256)) * 200})
    packed.write_bytes(spoil(packed.read_bytes()))
    with pytest.raises(UserError, match=rf"{kind} is corrupt .* Mend: ") as caught:
        content(packed, "a")
    assert "\n" not in str(caught.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    """The archive or what should be in it."""
    packed = pack(tmp_path / "a.zip", {"a": b"x"})
    with pytest.raises(UserError, match=r"a\.zip has no file b\. Mend: "):
        content(packed, "b")
    with pytest.raises(UserError, match=r"b\.tar is missing\. Mend: "):
        archive.names(tmp_path / "b.tar")
