"""A file that was sent is read as one in a folder would be, without a trace of where it lay meanwhile."""

import json
from datetime import UTC, datetime

import pytest

from indexing.types import BadInput
from service.uploads import SOURCE, read_upload


def test_the_date_of_the_file_stands_in_for_one_that_the_document_does_not_state() -> None:
    changed = datetime(2021, 5, 4, tzinfo=UTC)
    [found] = read_upload("notes.txt", b"Ferries leave at seven.", changed)
    assert found.document.fetched_at == changed
    assert (found.document.source, found.document.url) == (SOURCE, "notes.txt")


def test_the_lines_of_a_json_lines_file_are_documents_of_their_own() -> None:
    lines = [json.dumps({"title": f"Day {day}", "text": f"On day {day} it rained."}) for day in (1, 2)]
    found = read_upload("days.jsonl", "\n".join(lines).encode())
    assert [each.document.url for each in found] == ["days.jsonl#L1", "days.jsonl#L2"]
    assert len({each.document.id for each in found}) == 2


def test_the_same_name_gives_the_same_document() -> None:
    first, second = (read_upload("a.md", text)[0].document for text in (b"One.", b"Two."))
    assert (first.id, first.content_hash != second.content_hash) == (second.id, True)


@pytest.mark.parametrize("name", ["a/b.md", "/etc/passwd", "..", ".", "é" * 200])
def test_what_is_no_file_name_is_refused(name: str) -> None:
    with pytest.raises(BadInput, match="no file name"):
        read_upload(name, b"text")
