"""A table in a bucket, over S3's protocol on loopback."""

from collections.abc import Iterator
from datetime import timedelta

import pytest

from indexing import table_upkeep
from indexing.refresh import add_documents
from indexing.search import Searcher
from indexing.table import Table
from indexing.table_rows import Place
from indexing.types import Query
from tests.hashing import HashingEncoder, document
from tests.s3 import make_bucket, s3

for package in ("lance", "boto3", "moto.server", "flask_cors"):
    pytest.importorskip(package, reason="lance, boto3 or moto is not installed")

pytestmark = pytest.mark.filterwarnings("ignore")  # of the S3 server's own code


@pytest.fixture
def place() -> Iterator[Place]:
    with s3() as variables:
        make_bucket(variables, "tables")
        options = {name.lower(): variables[f"AWS_{name}"] for name in ("ACCESS_KEY_ID", "SECRET_ACCESS_KEY")}
        options |= {"allow_http": "true", "region": variables["AWS_DEFAULT_REGION"]}
        yield Place("s3://tables/table", {"endpoint": variables["AWS_ENDPOINT_URL"], **options})


def test_table_in_a_bucket(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    encoder = HashingEncoder()
    table = Table.create(place, encoder)
    add_documents([document(f"z{i}", f"The zebra number{i} grazes.", language="en") for i in range(3)], table, encoder)
    table.delete(["z1"])
    stale, now = table._now(), table._now
    late = document("late", "The lion sleeps.", language="en")
    add_documents([late], Table.open(place), encoder)
    answers = iter([stale] * 3)
    monkeypatch.setattr(table, "_now", lambda newest=False: next(answers, None) or now(newest))
    add_documents([late], table, encoder)  # begins from a version without the document
    monkeypatch.undo()
    hits = Searcher(Table.open(place), encoder).search(Query("zebra lion"), 10)
    assert sorted(hit.document.id for hit in hits) == ["late", "z0", "z2"]
    table.tidy(old=timedelta())
    assert Table.open(place).counts().passages == 3
    assert table_upkeep.verify(place) == []
    new = HashingEncoder("new")
    assert table_upkeep.rebuild(Table.open(place), new) == 3
    assert len(Searcher(Table.open(place), new).search(Query("zebra lion"), 10)) == 3
