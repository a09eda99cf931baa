"""A million real passages to measure an index with: what Debian's documentation packages say, 64 words a passage.

The packages are fetched by apt-get, unpacked and read once; what is kept is one text file, a passage a line. Lines of
programs and tables are text too. What stands twice (headers, licences, pages that two packages share) is kept once.
"""

import gzip
import hashlib
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

from indexing.tokenize import is_cjk
from indexing.types import BadInput, Progress

PACKAGES = (
    "cppreference-doc-en-html", "debian-handbook", "erlang-doc", "ghc-doc", "gnuradio-doc", "libboost1.81-doc",
    "libeigen3-doc", "libgtk-4-doc", "libreoffice-help-en-us", "libreoffice-help-zh-cn", "libstdc++-12-doc",
    "linux-doc-6.1", "manpages", "manpages-dev", "octave-doc", "openjdk-17-doc", "postgresql-doc-15",
    "python-pandas-doc", "python-scipy-doc", "python-sklearn-doc", "python-sympy-doc", "python3.11-doc",
    "qtbase5-doc-html", "rust-doc", "sagemath-doc",
)  # fmt: skip
WORDS = 64
CHARACTERS = 128
"""A passage of Chinese, which has no spaces between words."""

_PAGES = (".html", ".htm", ".xhtml")
_TEXTS = (".txt", ".rst", ".md", ".1", ".2", ".3", ".4", ".5", ".7", ".8")
_LARGEST = 4 << 20  # bytes; what is larger is an index of names


def collection(folder: Path, progress: Progress | None = None) -> Path:
    """The file of passages in `folder`, made when it is not there. Raises BadInput where there is no apt-get."""
    kept = folder / "passages.txt"
    if not kept.is_file():
        packages, files = folder / "packages", folder / "files"
        packages.mkdir(parents=True, exist_ok=True)
        fetch(packages)
        unpack(packages, files, progress)
        part = kept.with_suffix(".part")
        with part.open("w", encoding="utf-8") as out:
            out.writelines(f"{passage}\n" for passage in passages(files, progress))
        part.replace(kept)
    return kept


def fetch(folder: Path) -> None:
    """The packages as Debian keeps them; those that lie there already are not fetched again."""
    wanted = [package for package in PACKAGES if not list(folder.glob(f"{package}_*.deb"))]
    if wanted:
        _run(["apt-get", "download", "--quiet", *wanted], folder)


def unpack(packages: Path, files: Path, progress: Progress | None = None) -> None:
    """The files of all packages in one folder."""
    found = sorted(packages.glob("*.deb"))
    for number, package in enumerate(found):
        _run(["dpkg-deb", "--extract", str(package), str(files)], packages)
        if progress:
            progress("unpack", number + 1, len(found))


def _run(command: Sequence[str], folder: Path) -> None:
    try:
        subprocess.run(command, cwd=folder, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError) as error:
        reason = getattr(error, "stderr", b"") or str(error).encode()
        raise BadInput(
            f"{command[0]} failed: {reason.decode(errors='replace').strip().splitlines()[-1]}",
            "The passages come from Debian's packages: measure on Debian or Ubuntu, with `apt-get update` done.",
        ) from error


def passages(folder: Path, progress: Progress | None = None) -> Iterator[str]:
    """Every different passage of the files in a folder; files in an order that mixes the packages, so that the first
    ten thousand passages are of the same kinds as all."""
    kinds = (*_PAGES, *_TEXTS)
    found = [path for path in folder.rglob("*") if path.name.removesuffix(".gz").endswith(kinds)]
    found = [path for path in found if path.is_file() and not path.is_symlink() and path.stat().st_size < _LARGEST]
    found.sort(key=lambda path: hashlib.blake2b(str(path.relative_to(folder)).encode(), digest_size=8).digest())
    seen: set[bytes] = set()
    for number, path in enumerate(found):
        for passage in cut(text_of(path)):
            digest = hashlib.blake2b(passage.encode(), digest_size=8).digest()
            if digest not in seen:
                seen.add(digest)
                yield passage
        if progress and number % 500 == 0:
            progress("read", number, len(found))


def text_of(path: Path) -> str:
    """What a page, a text or a manual page says."""
    from selectolax.lexbor import LexborHTMLParser

    data = path.read_bytes()
    data = gzip.decompress(data) if path.suffix == ".gz" else data
    text = data.decode("utf-8", "replace")
    if not path.name.removesuffix(".gz").endswith(_PAGES):
        return text
    tree = LexborHTMLParser(text)
    tree.strip_tags(["script", "style", "nav", "header", "footer"], recursive=True)
    return tree.body.text(separator=" ") if tree.body else ""


def cut(text: str) -> Iterator[str]:
    """Stretches of 64 words, or of 128 characters of Chinese; what is left at the end stands alone from half on."""
    if is_cjk(text[:4000]):
        text = "".join(text.split())
        yield from (text[at : at + CHARACTERS] for at in range(0, len(text) - CHARACTERS // 2, CHARACTERS))
        return
    words = text.split()
    for at in range(0, len(words) - WORDS // 2, WORDS):
        yield " ".join(words[at : at + WORDS])
