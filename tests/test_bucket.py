"""The objects of a bucket as documents, from a server on loopback that speaks the protocol of S3."""

import sys
import threading
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from indexing.bucket import AT_ONCE, Bucket, check_bucket, connected
from indexing.extract import Extracted
from indexing.fetch import FetchRules
from indexing.refresh import refresh
from indexing.store import Index
from indexing.types import BadInput, Cancelled, ExtractFailed, FetchFailed
from service.sources import described, opened, tried
from tests.hashing import HashingEncoder
from tests.s3 import SECRET, s3
from tests.site import Site
from tests.test_refresh import counts, texts

boto3 = pytest.importorskip("boto3", reason="the extra s3 is not installed")
pytest.importorskip("moto.server", reason="moto, whose server stands in for S3, is not installed")
Hook = Callable[[str, Callable[..., None]], None]


@pytest.fixture(scope="module", autouse=True)
def endpoint() -> Iterator[None]:
    """An S3 server on loopback, which every client of this module finds through the environment."""
    with s3() as variables, pytest.MonkeyPatch.context() as patch:
        for name, value in variables.items():
            patch.setenv(name, value)
        yield


@pytest.fixture(scope="module")
def client(endpoint: None) -> Iterator[Any]:  # noqa: ARG001 - the server it finds
    with connected() as client:
        yield client


@pytest.fixture
def hook(client: Any) -> Iterator[Hook]:
    """Calls a function at an event of the client (botocore names them), until the test ends."""
    hooks: list[tuple[str, Callable[..., None]]] = []

    def register(event: str, function: Callable[..., None]) -> None:
        client.meta.events.register(event, function)
        hooks.append((event, function))

    yield register
    for event, function in hooks:
        client.meta.events.unregister(event, function)


@pytest.fixture
def taken(hook: Hook) -> list[str]:
    """The objects that the client reads."""
    found: list[str] = []
    hook("provide-client-params.s3.GetObject", lambda params, **_: found.append(params["Key"]))
    return found


@pytest.fixture
def bucket(client: Any) -> str:
    """The name of a bucket with two documents in its folder `docs`."""
    name = uuid.uuid4().hex
    client.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})
    client.put_object(Bucket=name, Key="docs/a.md", Body=b"# Alpha\n\nThe zebra grazes.\n")
    client.put_object(Bucket=name, Key="docs/sub/b c+\xfc?.txt", Body=b"The yak climbs.\n")
    return name


def test_only_what_changed_is_read(
    client: Any, taken: list[str], bucket: str, index: Index, hashing: HashingEncoder
) -> None:
    source = Bucket("store", f"s3://{bucket}/docs", client)
    client.put_object(Bucket=bucket, Key="docs/again.txt", Body=b"The gnu runs far.\n")
    assert counts(refresh([source], index, hashing)) == (3, 0, 0, 0)
    assert len(taken) == 3
    document = next(each for each in index.documents("store") if each.title == "Alpha")
    assert (document.url, document.metadata["path"]) == (f"s3://{bucket}/docs/a.md", "a.md")
    assert document.fetched_at
    assert abs((datetime.now(UTC) - document.fetched_at).total_seconds()) < 3600
    taken.clear()
    client.put_object(Bucket=bucket, Key="docs/again.txt", Body=b"The gnu runs far.\n")
    assert counts(refresh([source], index, hashing)) == (0, 0, 0, 3)
    assert taken == []
    client.put_object(Bucket=bucket, Key="docs/a.md", Body=b"# Alpha\n\nThe lemur sleeps.\n")
    client.put_object(Bucket=bucket, Key="docs/new.jsonl", Body=b'{"text": "An ibis."}\n{"text": "An emu."}\n')
    client.delete_object(Bucket=bucket, Key="docs/again.txt")
    assert counts(refresh([source], index, hashing)) == (2, 1, 1, 1)
    assert sorted(taken) == ["docs/a.md", "docs/new.jsonl"]
    assert (texts(index, hashing, "zebra"), texts(index, hashing, "gnu")) == ([], [])
    assert texts(index, hashing, "lemur")


def test_objects_are_fetched_beside_each_other_and_kept_in_their_order(
    client: Any, hook: Hook, bucket: str, index: Index, hashing: HashingEncoder
) -> None:
    for i in range(30):
        client.put_object(Bucket=bucket, Key=f"docs/{i:02}.txt", Body=f"The gnu number{i} runs.".encode())
    met, under_way = threading.Barrier(AT_ONCE, timeout=20), 0

    def wait(**_: Any) -> None:
        nonlocal under_way
        under_way += 1
        if under_way <= AT_ONCE:
            met.wait()  # breaks unless so many requests are under way at once

    def lose(params: dict[str, Any], **_: Any) -> None:
        if params["Key"] == "docs/07.txt":
            params["Key"] = "docs/nothing"

    hook("before-send.s3.GetObject", wait)
    hook("provide-client-params.s3.GetObject", lose)
    read: list[str] = []
    source = Bucket("store", f"s3://{bucket}/docs", client)
    report = refresh([source], index, hashing)
    assert counts(report) == (31, 0, 0, 0)
    assert [failure.url.rpartition("/")[2] for failure in report.failed] == ["07.txt"]
    items = source.listing()
    items.ahead({})
    for item in items.items[:5]:
        read += [found.document.text for found in item.read(None).found or () if isinstance(found, Extracted)]
    assert [f"number{i}" in text for i, text in enumerate(read)] == [True] * 5


def test_without_etags_size_and_time_tell(
    client: Any, hook: Hook, taken: list[str], bucket: str, index: Index, hashing: HashingEncoder
) -> None:
    def forget(parsed: dict[str, Any], **_: Any) -> None:
        for each in (parsed, *parsed.get("Contents", ())):
            each.pop("ETag", None)

    hook("after-call.s3", forget)
    source = Bucket("store", f"s3://{bucket}", client)
    refresh([source], index, hashing)
    assert counts(refresh([source], index, hashing)) == (0, 0, 0, 2)
    client.put_object(Bucket=bucket, Key="docs/a.md", Body=b"# Alpha\n\nThe lemur sleeps long.\n")
    taken.clear()
    assert counts(refresh([source], index, hashing)) == (0, 1, 0, 1)
    assert taken == ["docs/a.md"]


def test_a_folder_of_a_bucket_is_read_as_a_folder_is(client: Any, bucket: str) -> None:
    others = ("docs/.hidden.md", "docs/_static/x.txt", "docs/photo.png", "docs/sub/", "docs-old/c.md", "d.md")
    for key in others:
        client.put_object(Bucket=bucket, Key=key, Body=b"The emu runs.")

    def keys(location: str) -> list[str]:
        return [item.key for item in Bucket("store", check_bucket(location), client).listing().items]

    assert keys(f"s3://{bucket}/docs/") == keys(f"s3://{bucket}/docs") == ["a.md", "sub/b c+\xfc?.txt"]
    assert keys(f"s3://{bucket}") == ["d.md", "docs-old/c.md", "docs/a.md", "docs/sub/b c+\xfc?.txt"]
    assert keys(f"s3://{bucket}/docs/photo.png") == ["photo.png"], "the one object named, of whatever kind"


def test_a_bad_object_is_named_and_the_others_are_read(
    client: Any, bucket: str, index: Index, hashing: HashingEncoder
) -> None:
    for key, body in {
        "big.txt": b"x" * 5000,
        "empty.md": b"",
        "packed.txt": b"PK\x03\x04zip",
        "fine.md": b"An emu.",
    }.items():
        client.put_object(Bucket=bucket, Key=key, Body=body)
    client.put_object(Bucket=bucket, Key="frozen.md", Body=b"Cold.", StorageClass="GLACIER")
    report = refresh([Bucket("store", f"s3://{bucket}", client, limit=4096)], index, hashing)
    assert counts(report) == (3, 0, 0, 0)
    said = {failure.url.rpartition("/")[2]: failure.reason for failure in report.failed}
    assert said.keys() == {"big.txt", "empty.md", "packed.txt", "frozen.md"}
    assert "larger than" in said["big.txt"]
    assert "is empty" in said["empty.md"]
    assert "an archive" in said["packed.txt"]
    assert "InvalidObjectState" in said["frozen.md"]


def test_a_list_that_breaks_off_removes_nothing(
    client: Any, hook: Hook, bucket: str, index: Index, hashing: HashingEncoder
) -> None:
    pages: list[str] = []

    def shorten(params: dict[str, Any], **_: Any) -> None:
        pages.append(params.get("ContinuationToken", ""))
        params["MaxKeys"] = 1

    def spoil(params: dict[str, Any], **_: Any) -> None:
        if "ContinuationToken" in params:
            params["ContinuationToken"] = "nonsense"

    source = Bucket("store", f"s3://{bucket}", client)
    hook("provide-client-params.s3.ListObjectsV2", shorten)
    assert counts(refresh([source], index, hashing)) == (2, 0, 0, 0)
    assert len(pages) == 2
    hook("provide-client-params.s3.ListObjectsV2", spoil)
    with pytest.raises(FetchFailed, match=r"cannot be read: .*2 files .* stay"):
        refresh([source], index, hashing)
    assert index.counts().documents == 2


def test_an_object_that_goes_while_it_is_read_is_gone(
    client: Any, hook: Hook, bucket: str, index: Index, hashing: HashingEncoder
) -> None:
    source = Bucket("store", f"s3://{bucket}", client)
    refresh([source], index, hashing)
    client.put_object(Bucket=bucket, Key="docs/a.md", Body=b"# Alpha\n\nThe lemur sleeps.\n")

    def delete(params: dict[str, Any], **_: Any) -> None:
        client.delete_object(Bucket=bucket, Key=params["Key"])

    hook("provide-client-params.s3.GetObject", delete)
    report = refresh([source], index, hashing)
    assert counts(report) == (0, 0, 1, 1)
    assert "is not there" in report.failed[0].reason


def test_a_refresh_can_be_stopped(client: Any, bucket: str, index: Index, hashing: HashingEncoder) -> None:
    with pytest.raises(Cancelled):
        refresh([Bucket("store", f"s3://{bucket}", client, cancelled=lambda: True)], index, hashing)


@pytest.mark.parametrize(
    ("changed", "said", "hint"),
    [
        ({}, "There is no bucket nowhere.", "Check its name"),
        ({"AWS_ENDPOINT_URL": "http://127.0.0.1:9"}, "cannot be reached at 127.0.0.1", "AWS_ENDPOINT_URL"),
        ({"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""}, "no credentials", "AWS_ACCESS_KEY_ID"),
        ({"AWS_SECRET_ACCESS_KEY": ""}, "missing: AWS_SECRET_ACCESS_KEY", "variables AWS_"),
        ({"AWS_PROFILE": "nobody"}, "boto3 cannot use its settings", "~/.aws"),
        ({"AWS_ENDPOINT_URL": "nonsense"}, "The endpoint of the bucket is no address.", "AWS_ENDPOINT_URL"),
    ],
)
def test_a_bucket_that_cannot_be_listed_says_what_to_do(
    monkeypatch: pytest.MonkeyPatch, changed: dict[str, str], said: str, hint: str
) -> None:
    for name, value in changed.items():
        monkeypatch.setenv(name, value)
    with (
        pytest.raises((BadInput, ExtractFailed)) as caught,
        opened(described("s3://nowhere/x"), FetchRules()) as source,
    ):
        tried(source)
    assert said in caught.value.message
    assert hint in caught.value.hint
    assert SECRET not in str(caught.value)


def test_refused_credentials_keep_what_was_there(
    client: Any, bucket: str, index: Index, hashing: HashingEncoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    from moto import settings

    source = Bucket("store", f"s3://{bucket}", client)
    refresh([source], index, hashing)
    monkeypatch.setattr(settings, "INITIAL_NO_AUTH_ACTION_COUNT", 0.0)
    with pytest.raises(FetchFailed, match=r"is refused \(InvalidAccessKeyId\).*stay in the index.*s3:ListBucket"):
        refresh([source], index, hashing)
    assert index.counts().documents == 2


def test_a_server_of_another_kind_is_said_so(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    site.write("/nowhere?list-type=2&prefix=&encoding-type=url", "<p>Hello<br>", "text/html")
    monkeypatch.setenv("AWS_ENDPOINT_URL", site.url)
    with pytest.raises(FetchFailed, match=r"nowhere cannot be read: .* AWS_ENDPOINT_URL"), connected() as client:
        Bucket("store", "s3://nowhere", client).listing()


def test_a_test_reads_the_first_objects(bucket: str) -> None:
    stored = described(f"s3://{bucket}/docs/")
    assert (stored.kind, stored.name, stored.place) == ("bucket", bucket, f"s3://{bucket}/docs")
    with opened(stored, FetchRules()) as source:
        found = tried(source)
    assert (found.listed, [each.title for each in found.documents]) == (2, ["Alpha", "b c+\xfc?"])


@pytest.mark.parametrize("location", ["s3://", "s3:///docs", "s3://-x", f"s3://me:{SECRET}@docs/x", "/tmp"])
def test_what_names_no_bucket_is_said_so(location: str) -> None:
    with pytest.raises(BadInput, match="s3://bucket") as caught:
        described(location, kind="bucket")
    assert SECRET not in str(caught.value)


def test_without_the_extra_the_message_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "boto3", None)
    with pytest.raises(BadInput, match=r"pip install 'passerine\[s3\]'"):
        described("s3://docs")
