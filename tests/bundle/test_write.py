"""A bundle is written whole or not at all, and a folder is replaced whole or not at all."""

from __future__ import annotations

import errno
import io
import re
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from planner.bundle.write import bundle_zip, documents, write_bundle
from planner.catalog import load_catalog
from planner.errors import OutputError
from tests.golden.refresh import frozen_result

FILES = {"README.md": b"new\n", "k8s/base/a.yaml": b"a: 1\n", "plan.json": b"{}\n"}


def tree(folder: Path) -> dict[str, bytes | None]:
    """Everything below a folder; None for folders."""
    return {p.relative_to(folder).as_posix(): p.read_bytes() if p.is_file() else None for p in folder.rglob("*")}


def files(folder: Path) -> dict[str, bytes]:
    return {name: content for name, content in tree(folder).items() if content is not None}


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """A folder with somebody's work in it."""
    folder = tmp_path / "out"
    folder.mkdir()
    (folder / "mine.txt").write_text("old")
    return folder


def test_writes_the_files(tmp_path: Path) -> None:
    write_bundle(FILES, tmp_path / "a" / "b")
    assert files(tmp_path) == {f"a/b/{name}": content for name, content in FILES.items()}


def test_an_empty_folder_may_be_there(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    write_bundle(FILES, tmp_path / "out")
    assert files(tmp_path / "out") == FILES


def test_a_full_folder_is_refused(tmp_path: Path, old: Path) -> None:
    before = tree(tmp_path)
    with pytest.raises(OutputError, match=r"not empty(.|\n)*--force"):
        write_bundle(FILES, old)
    assert tree(tmp_path) == before


def test_force_never_mixes(tmp_path: Path, old: Path) -> None:
    write_bundle(FILES, old, force=True)
    assert files(tmp_path) == {f"out/{name}": content for name, content in FILES.items()}


def test_relative_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_bundle(FILES, Path("out"))
    assert files(tmp_path / "out") == FILES


@pytest.mark.parametrize("here", [".", "deep/er"])
def test_force_spares_the_folder_that_we_are_in(old: Path, monkeypatch: pytest.MonkeyPatch, here: str) -> None:
    (old / here).mkdir(parents=True, exist_ok=True)
    monkeypatch.chdir(old / here)
    with pytest.raises(OutputError, match="would remove all of it"):
        write_bundle(FILES, old, force=True)
    assert (old / "mine.txt").exists()


def test_force_spares_home(old: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(old / "me"))
    with pytest.raises(OutputError, match="your home"):
        write_bundle(FILES, old, force=True)


def test_force_replaces_a_link_and_not_what_it_leads_to(tmp_path: Path, old: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(old)
    write_bundle(FILES, link, force=True)
    assert files(link) == FILES and not link.is_symlink()
    assert files(old) == {"mine.txt": b"old"}


@pytest.mark.parametrize("place", ["mine.txt", "mine.txt/out", "mine.txt/a/b", "n" * 300, "/proc/nobody/out"])
def test_unwritable_places(tmp_path: Path, old: Path, place: str) -> None:
    before = tree(tmp_path)
    with pytest.raises(OutputError, match=re.escape(place[:20])):
        write_bundle(FILES, old / place, force=True)
    assert tree(tmp_path) == before


def failing(error: BaseException, call: int) -> Callable[..., int]:
    """Write as ever until a call fails halfway through its file."""
    count, write = iter(range(1, 99)), Path.write_bytes

    def write_bytes(path: Path, content: bytes) -> int:
        if next(count) == call:
            write(path, content[:1])
            raise error
        return write(path, content)

    return write_bytes


@pytest.mark.parametrize("call", [1, 2, 3])
@pytest.mark.parametrize("force", [False, True])
def test_a_full_disk_leaves_nothing(
    tmp_path: Path, old: Path, monkeypatch: pytest.MonkeyPatch, call: int, force: bool
) -> None:
    before = tree(tmp_path)
    monkeypatch.setattr(Path, "write_bytes", failing(OSError(errno.ENOSPC, "No space left on device"), call))
    with pytest.raises(OutputError, match="No space left on device"):
        write_bundle(FILES, old if force else tmp_path / "a" / "b", force)
    assert tree(tmp_path) == before


@pytest.mark.parametrize("force", [False, True])
def test_an_interruption_leaves_nothing(
    tmp_path: Path, old: Path, monkeypatch: pytest.MonkeyPatch, force: bool
) -> None:
    before = tree(tmp_path)
    monkeypatch.setattr(Path, "write_bytes", failing(KeyboardInterrupt(), 2))
    with pytest.raises(KeyboardInterrupt):
        write_bundle(FILES, old if force else tmp_path / "a" / "b", force)
    assert tree(tmp_path) == before


@pytest.mark.parametrize("call", [1, 2])
@pytest.mark.parametrize("error", [KeyboardInterrupt(), OSError(errno.EACCES, "Permission denied")])
def test_the_old_folder_comes_back(
    tmp_path: Path, old: Path, monkeypatch: pytest.MonkeyPatch, call: int, error: BaseException
) -> None:
    """Whichever of the two renames fails."""
    before = tree(tmp_path)
    count, rename = iter(range(1, 99)), Path.rename

    def failing_rename(path: Path, target: Path) -> Path:
        if next(count) == call:
            raise error
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", failing_rename)
    with pytest.raises(OutputError if isinstance(error, OSError) else KeyboardInterrupt):
        write_bundle(FILES, old, force=True)
    assert tree(tmp_path) == before


@pytest.mark.parametrize("way", ["out/../out", "out/deep/..", "side/../out"])
def test_a_way_through_the_folder_itself(tmp_path: Path, old: Path, way: str) -> None:
    (old / "deep").mkdir()
    (tmp_path / "side").mkdir()
    write_bundle(FILES, tmp_path / way, force=True)
    assert files(old) == FILES and sorted(p.name for p in tmp_path.iterdir()) == ["out", "side"]


def test_what_cannot_come_back_stays(tmp_path: Path, old: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither the new folder nor the old one can be moved: the old one is not thrown away with the new one."""
    rename = Path.rename
    monkeypatch.setattr(Path, "rename", lambda path, to: rename(path, to) if path == old else _no_more())
    with pytest.raises(OutputError, match=r"Read-only file system. What was there is in .*/old"):
        write_bundle(FILES, old, force=True)
    assert [p.read_text() for p in tmp_path.rglob("mine.txt")] == ["old"]


def _no_more() -> Path:
    raise OSError(errno.EROFS, "Read-only file system")


def test_no_room_for_temporary_files(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*given: object) -> object:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("planner.bundle.write.written", full)
    with pytest.raises(OutputError, match=r"No space left on device(.|\n)*TMPDIR"):
        documents(frozen_result("distill-32b-a100"), 1, load_catalog())


@pytest.mark.parametrize("name", ["../evil", "/etc/evil", "a/../../evil"])
def test_no_file_leaves_the_folder(tmp_path: Path, name: str) -> None:
    with pytest.raises(OutputError, match="leads out"):
        write_bundle({name: b""}, tmp_path / "out")
    assert not tree(tmp_path)


def test_the_archive_is_the_folder() -> None:
    result, catalog = frozen_result("distill-32b-a100"), load_catalog()
    content = bundle_zip(result, 1, catalog)
    assert content == bundle_zip(result, 1, catalog)
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        top = "deepseek-r1-distill-qwen-32b-a100-sxm-80gb"
        found = {info.filename.removeprefix(f"{top}/"): archive.read(info) for info in archive.infolist()}
        assert {info.date_time for info in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
    assert found == documents(result, 1, catalog)
