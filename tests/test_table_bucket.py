"""A table in a bucket, over S3's protocol on loopback."""

import logging
from collections.abc import Iterator
from datetime import timedelta

import pytest

from indexing.refresh import add_documents
from indexing.search import Searcher
from indexing.table import Table
from indexing.table_rows import Place
from indexing.types import Query
from tests.hashing import HashingEncoder, document

for package in ("lance", "boto3", "moto.server", "flask_cors"):
    pytest.importorskip(package, reason="lance, boto3 or moto is not installed")

pytestmark = pytest.mark.filterwarnings("ignore")  # of the S3 server's own code


@pytest.fixture
def place() -> Iterator[Place]:
    import boto3
    from moto.server import ThreadedMotoServer

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    url = "http://{}:{}".format(*server.get_host_and_port())
    key = {"aws_access_key_id": "key", "aws_secret_access_key": "secret"}
    boto3.client("s3", endpoint_url=url, region_name="us-east-1", **key).create_bucket(Bucket="bucket")
    yield Place("s3://bucket/table", {"aws_endpoint": url, "aws_region": "us-east-1", "allow_http": "true", **key})
    server.stop()


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
