"""Documents as JSON: {"title", "text", "url"?, "id"?, "published_at"?, "metadata"?}, one a line in JSON Lines."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from indexing.formats.dates import as_utc
from indexing.formats.draft import Draft, one_line, visible
from indexing.types import ExtractFailed

_FIELDS = ("title", "text", "url", "id", "published_at", "metadata")


@dataclass(frozen=True, slots=True)
class Record:
    """A checked record; `id` and `url` are "" when it gives none."""

    draft: Draft
    id: str
    url: str


def read_lines(text: str, name: str) -> Iterator[tuple[int, Record | ExtractFailed]]:
    """(line number from 1, record or what is wrong with the line) for each line that is not blank."""
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        where = f"Line {number} of {name}"
        try:
            yield number, read_record(json.loads(line), where)
        except (ValueError, RecursionError):
            yield number, ExtractFailed(f"{where} is no valid JSON.", "Each line holds one JSON object.")
        except ExtractFailed as error:
            yield number, error


def read_record(value: object, where: str) -> Record:
    """Checks one record; raises ExtractFailed naming `where` and the field that is wrong.

    Fields of other names are kept as metadata when they are plain values.
    """
    if not isinstance(value, dict):
        raise ExtractFailed(f"{where} is not a JSON object.", 'Write {"title": ..., "text": ...}.')
    text = visible(_string(value, "text", where)).strip()
    if not text:
        raise ExtractFailed(f"{where} has no text.", 'Give it a "text" that is not empty.')
    published = None
    if value.get("published_at") not in (None, ""):
        published = as_utc(value["published_at"])
        if published is None:
            raise ExtractFailed(
                f'{where} has a "published_at" that is no date.', "Write it as 2024-05-31 or 2024-05-31T12:00:00Z."
            )
    given = value.get("metadata")
    if given is not None and not isinstance(given, dict):
        raise ExtractFailed(f'{where} has a "metadata" that is no object.', 'Write {"name": "value", ...}.')
    others = {key: entry for key, entry in value.items() if key not in _FIELDS}
    metadata = _plain_values(others) | _plain_values(given or {})
    draft = Draft(
        text=text, title=one_line(visible(_string(value, "title", where))), published_at=published, metadata=metadata
    )
    return Record(
        draft, id=one_line(visible(_string(value, "id", where))), url=one_line(visible(_string(value, "url", where)))
    )


def _string(value: Mapping[str, object], field: str, where: str) -> str:
    found = value.get(field)
    if found is None:
        return ""
    if isinstance(found, str):
        return found
    if field == "id" and isinstance(found, int) and not isinstance(found, bool):
        return str(found)
    raise ExtractFailed(f'{where} has a "{field}" that is not a string.', "Put it in double quotes.")


def _plain_values(fields: Mapping[str, object]) -> dict[str, str]:
    """Strings and numbers as strings; lists of them joined by commas; anything deeper is left out."""
    kept: dict[str, str] = {}
    for key, entry in fields.items():
        if isinstance(entry, bool):
            kept[visible(key)] = "true" if entry else "false"
        elif isinstance(entry, str | int | float):
            kept[visible(key)] = one_line(visible(str(entry)))
        elif isinstance(entry, list) and all(isinstance(part, str | int | float) for part in entry):
            kept[visible(key)] = ", ".join(one_line(visible(str(part))) for part in entry)
    return kept
