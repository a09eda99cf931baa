"""What a folder holds: which files are documents, in which order, under which key."""

import errno
import os
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from indexing.files import files
from indexing.types import BadInput


def write(path: Path, text: str = "text") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


@contextmanager
def unlistable(folder: Path) -> Iterator[None]:
    """A folder that may be entered while its disk fails to list it: root may list whatever permissions forbid."""
    scan = os.scandir

    def failing(path: Path) -> Iterator[os.DirEntry[str]]:
        if path == folder:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return scan(path)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "scandir", failing)
        yield


def keys(path: Path) -> list[str]:
    return [file.key for file in files(path)]


def test_a_folder_gives_its_documents_in_order(tmp_path: Path) -> None:
    for name in ("b.md", "a/z.html", "a/c.txt", "c.PDF", "d.docx", "e.jsonl", "photo.png", "code.py", "Makefile"):
        write(tmp_path / name)
    assert keys(tmp_path) == ["a/c.txt", "a/z.html", "b.md", "c.PDF", "d.docx", "e.jsonl"]
    assert keys(tmp_path) == keys(tmp_path)


def test_hidden_files_and_copies_of_sources_are_left_out(tmp_path: Path) -> None:
    for name in (".hidden.md", ".git/a.md", "_sources/a.txt", "node_modules/b/readme.md", "kept.md"):
        write(tmp_path / name)
    assert keys(tmp_path) == ["kept.md"]


def test_a_file_is_described(tmp_path: Path) -> None:
    path = write(tmp_path / "notes" / "a b.md", "hello")
    (file,) = files(tmp_path)
    assert (file.key, file.size, file.path) == ("notes/a b.md", 5, path)
    assert file.url == path.as_uri()
    assert file.modified_at.timestamp() == pytest.approx(path.stat().st_mtime, abs=1e-5)
    assert file.modified_at.tzinfo is not None


def test_a_named_file_is_listed_whatever_its_kind(tmp_path: Path) -> None:
    assert keys(write(tmp_path / "picture.png")) == ["picture.png"]


def test_links_are_followed_once(tmp_path: Path) -> None:
    write(tmp_path / "real" / "a.md")
    (tmp_path / "again").symlink_to(tmp_path / "real")
    (tmp_path / "real" / "up").symlink_to(tmp_path)
    (tmp_path / "self.md").symlink_to("self.md")
    (tmp_path / "gone.md").symlink_to("nowhere.md")
    assert keys(tmp_path) == ["again/a.md", "gone.md", "self.md"]


def test_a_folder_that_may_not_be_read_is_named_and_the_rest_read(tmp_path: Path) -> None:
    write(tmp_path / "closed" / "a.md")
    write(tmp_path / "open.md")
    with unlistable(tmp_path / "closed"):
        assert [(file.key, file.error) for file in files(tmp_path)] == [
            ("closed", "Input/output error."),
            ("open.md", ""),
        ]


def test_a_folder_that_opens_and_does_not_list_is_no_empty_one(tmp_path: Path) -> None:
    write(tmp_path / "a.md")
    with unlistable(tmp_path), pytest.raises(OSError, match="Input/output error"):
        keys(tmp_path)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_files_that_may_be_listed_and_not_read_are_named_and_the_rest_read(tmp_path: Path) -> None:
    write(tmp_path / "closed" / "a.md")
    write(tmp_path / "open.md")
    (tmp_path / "closed").chmod(0o444)
    try:
        assert [(file.key, file.error) for file in files(tmp_path)] == [
            ("closed/a.md", "Permission denied."),
            ("open.md", ""),
        ]
    finally:
        (tmp_path / "closed").chmod(0o700)


def test_special_files_are_not_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.txt")
    assert keys(tmp_path) == []


def test_names_that_are_not_text_get_a_printable_key(tmp_path: Path) -> None:
    with open(os.fsencode(tmp_path) + b"/caf\xe9.md", "w") as file:  # noqa: PTH123
        file.write("x")
    assert keys(tmp_path) == ["caf\\xe9.md"]


def test_a_missing_path_is_bad_input(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="no file or folder"):
        list(files(tmp_path / "nothing"))


def test_very_deep_folders_do_not_exhaust_the_stack(tmp_path: Path) -> None:
    deep = tmp_path
    for _ in range(300):
        deep = deep / "d"
    write(deep / "a.md")
    assert len(keys(tmp_path)) == 1


def test_files_of_kinds_that_are_not_read_are_counted(tmp_path: Path) -> None:
    for name in ("a.md", "b.pptx", "sub/c.PPTX", "d.png", "Makefile"):
        write(tmp_path / name)
    for name in (
        ".DS_Store",
        "Thumbs.db",
        "desktop.ini",
        "~$a.docx",
        ".git/x.png",
        "home/passerine.db",
        "home/index/one.seg",
    ):
        write(tmp_path / name)
    skipped: Counter[str] = Counter()
    assert [file.key for file in files(tmp_path, skipped)] == ["a.md"]
    assert skipped == {".pptx": 2, ".png": 1, "Makefile": 1}


def test_tables_of_office_programs_are_documents(tmp_path: Path) -> None:
    for name in ("machines.csv", "staff.tsv", "prices.XLSX", "photo.png"):
        (tmp_path / name).write_bytes(b"x")
    assert sorted(keys(tmp_path)) == ["machines.csv", "prices.XLSX", "staff.tsv"]
