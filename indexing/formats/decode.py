"""Bytes -> text. The encodings tried are those that documents in use here come in; a guess must be a good one."""

import codecs
import re

from indexing.types import ExtractFailed

_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_GUESSES = ["gb18030", "big5", "shift_jis", "euc_jp", "euc_kr", "cp1252", "cp1251", "koi8_r"]
_OF_DOCUMENTS = re.compile(
    r"utf-8|ascii|gb.*|hz|big5.*|(shift_jis|euc_jis|iso2022_jp).*|euc_jp|euc_kr|cp949|johab|"
    r"iso8859-.*|cp\d+|koi8.*|mac.*|tis-620|ptcp154|kz1048"
)
"""What a page may name. Python knows more: some take minutes for a megabyte (punycode), some decode to anything."""

_SAMPLE = 1 << 17
_DAMAGE = 0.002
"""UTF-8 with at most this share of broken characters is read as damaged UTF-8: a cut file, one bad paste."""

_CONTROL = re.compile(r"[\x00-\x08\x0e-\x1a\x1c-\x1f\x7f]")


def decode(data: bytes, name: str, declared: str = "") -> tuple[str, str]:
    """Text and the encoding it was read with; `declared` is what the file says of itself.

    Raises ExtractFailed for binary data and for bytes that fit no encoding well.
    """
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            return _strict(data, encoding, name), encoding.removesuffix("-sig")
    if b"\0" in data[:_SAMPLE]:
        return _without_mark(data, name)
    try:
        return _printable(data.decode("utf-8"), name), "utf-8"
    except UnicodeDecodeError:
        pass
    if declared and (text := _declared(data, declared)) is not None:
        return _printable(text, name), declared.lower()
    damaged = data.decode("utf-8", errors="replace")
    broken = damaged.count("\ufffd")
    if (
        broken <= max(1, _DAMAGE * len(damaged))
        and sum(map(len, re.findall(r"[^\x00-\x7f\ufffd]+", damaged))) > 10 * broken
    ):
        return _printable(damaged, name), "utf-8 (damaged)"
    return _guess(data, name)


def _strict(data: bytes, encoding: str, name: str) -> str:
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        raise ExtractFailed(
            f"{name} begins like {encoding.removesuffix('-sig').upper()} and is broken at byte {error.start}.",
            "Save the file again as UTF-8.",
        ) from error


def _without_mark(data: bytes, name: str) -> tuple[str, str]:
    """UTF-16 without a byte order mark has its zero bytes on one side; anything else with zeros is binary."""
    sample = data[:4096]
    even, odd = sample[::2].count(0), sample[1::2].count(0)
    encoding = "utf-16-le" if odd > 4 * even else "utf-16-be" if even > 4 * odd else ""
    if encoding and len(data) % 2 == 0 and max(even, odd) * 8 > len(sample):
        try:
            return _printable(data.decode(encoding), name), encoding
        except UnicodeDecodeError:
            pass
    raise _binary(name)


def _declared(data: bytes, declared: str) -> str | None:
    """The text in the encoding that it declares, None where that is none or does not fit."""
    try:
        name = codecs.lookup(declared).name
    except (LookupError, ValueError):
        return None
    if not _OF_DOCUMENTS.fullmatch(name):
        return None
    try:
        return data.decode("gb18030" if name in ("gb2312", "gbk") else name)
    except (UnicodeDecodeError, ValueError):
        return None


def _guess(data: bytes, name: str) -> tuple[str, str]:
    from charset_normalizer import from_bytes

    best = from_bytes(data[:_SAMPLE], cp_isolation=_GUESSES).best()
    if best is None and len(data) > _SAMPLE:  # the sample may have cut a character in two
        best = from_bytes(data[: _SAMPLE - 1], cp_isolation=_GUESSES).best()
    if best is not None:
        text = data.decode(best.encoding, errors="replace")
        if text.count("\ufffd") <= max(1, _DAMAGE * len(text)):
            return _printable(text, name), best.encoding
    raise ExtractFailed(
        f"{name} is in no text encoding that could be recognised.", "Save the file as UTF-8, or leave it out."
    )


def _printable(text: str, name: str) -> str:
    sample = text[:_SAMPLE]
    if len(_CONTROL.findall(sample)) * 50 > len(sample):
        raise _binary(name)
    return text


def _binary(name: str) -> ExtractFailed:
    return ExtractFailed(
        f"{name} is a binary file, not text.",
        "Give it the ending that fits its kind (.pdf, .docx, .xlsx), or leave it out.",
    )
