"""The source that is a bucket, of Amazon S3 or of whatever speaks its protocol: each object is a file.

boto3 looks for endpoint, region and credentials where every program for S3 does: in the environment, in ~/.aws, in the
role of the machine. None of it is kept, and no message repeats what boto3 says of a credential or of an address.
"""

import re
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from typing import Any
from urllib.parse import quote, urlsplit

from indexing.extract import DEFAULT_LIMIT, extract_page
from indexing.fetch import stopped, too_large
from indexing.files import is_document
from indexing.rows import FileState
from indexing.sources import Gone, Item, Listing, Reading
from indexing.types import BadInput, ExtractFailed, FetchFailed
from indexing.writer import never

SCHEME = "s3://"
RIGHTS = "Its credentials need s3:ListBucket and s3:GetObject there; `aws s3 ls` tells whether they have them."
ENDPOINT = "Check AWS_ENDPOINT_URL and the network."

_LOCATION = re.compile(r"s3://([A-Za-z0-9][A-Za-z0-9._-]{1,254})(?:/(.*))?", re.DOTALL)
AT_ONCE = 8
"""Objects fetched at the same time; boto3 keeps ten connections."""
AHEAD_BYTES = 64 << 20
"""Bytes of objects that are fetched before they are asked for, but for one that is larger."""
_SILENCE = 20  # seconds, as for pages; boto3 waits for 60
_REFUSALS = frozenset({"ExpiredToken", "InvalidToken"})  # answered with 400, unlike the others


@dataclass(frozen=True, slots=True)
class Bucket:
    """The documents of a bucket below a folder, or the one object named. `client` is boto3's, from `connected`.

    An object is read when its ETag differs, or its size and time where it has none. `limit` in bytes an object.
    """

    name: str
    location: str
    client: Any
    limit: int = DEFAULT_LIMIT
    cancelled: Callable[[], bool] = never

    def listing(self) -> Listing:
        """Raises FetchFailed also when a later page of the list fails: half a list would look like objects gone."""
        bucket, folder = _parts(self.location)
        items: list[Item] = []
        ahead = _Ahead(self)
        with self._plainly(bucket):
            for page in self.client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=folder):
                if self.cancelled():
                    raise stopped()
                for each in page.get("Contents", ()):
                    if key := _below(each["Key"], folder):
                        url = f"{SCHEME}{bucket}/{quote(each['Key'])}"
                        modified = round(each["LastModified"].timestamp() * 1e9)
                        etag = each.get("ETag", "").strip('"')
                        state = FileState(self.name, key, each["Size"], modified, etag)
                        ahead.listed.append((each["Key"], url, state))
                        items.append(Item(key, url, partial(self._read, ahead, each["Key"], url, state)))
        return Listing(items, ahead=ahead.begin)

    def _read(self, ahead: "_Ahead", name: str, url: str, listed: FileState, known: FileState | None) -> Reading:
        if _same(listed, known):
            return Reading(listed)
        if listed.size > self.limit:
            raise too_large(url, self.limit)
        data, etag = ahead.content(name, url)
        problems: list[ExtractFailed] = []
        documents = extract_page(
            data,
            url,
            self.name,
            listed.file,
            datetime.fromtimestamp(listed.modified / 1e9, UTC),
            limit=self.limit,
            on_failure=problems.append,
        )
        # Of what was read, not of what was listed: it may have changed between the two.
        return Reading(replace(listed, size=len(data), digest=etag), [*documents, *problems])

    def content(self, name: str, url: str) -> tuple[bytes, str]:
        """(bytes, ETag) of an object. Raises Gone, FetchFailed, TooLarge, Cancelled."""
        bucket, _ = _parts(self.location)
        data = bytearray()
        with self._plainly(bucket, url):
            reply = self.client.get_object(Bucket=bucket, Key=name)
            with closing(reply["Body"]) as body:
                while piece := body.read(1 << 16):
                    if self.cancelled():
                        raise stopped()
                    data += piece
                    if len(data) > self.limit:
                        raise too_large(url, self.limit)
        return bytes(data), reply.get("ETag", "").strip('"')

    @contextmanager
    def _plainly(self, bucket: str, url: str = "") -> Iterator[None]:
        """Says in one sentence what boto3 raises. Raises Gone for an object that is not there, else FetchFailed."""
        from botocore import exceptions as boto

        what, host = url or f"The bucket {bucket}", urlsplit(self.client.meta.endpoint_url).hostname
        try:
            yield
        except boto.ClientError as error:
            raise _answered(error.response, bucket, what) from None
        except (boto.NoCredentialsError, boto.CredentialRetrievalError):
            raise FetchFailed(
                f"There are no credentials for the bucket {bucket}.",
                "Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or name a profile of ~/.aws in AWS_PROFILE.",
            ) from None
        except (boto.ConnectionError, boto.HTTPClientError) as error:
            raise FetchFailed(f"{what} cannot be reached at {host} ({type(error).__name__}).", ENDPOINT) from None
        except boto.BotoCoreError as error:
            raise FetchFailed(f"{what} cannot be read: {_line(error)}.", "The next refresh tries again.") from None


class _Ahead:
    """The objects of a listing that have changed, some of them fetched before they are asked for, in their order."""

    def __init__(self, bucket: Bucket) -> None:
        self.bucket = bucket
        self.listed: list[tuple[str, str, FileState]] = []
        self._waiting: deque[tuple[str, str, int]] = deque()
        self._fetched: dict[str, tuple[Future[tuple[bytes, str]], int]] = {}
        self._pool: ThreadPoolExecutor | None = None

    def begin(self, known: Mapping[str, FileState]) -> None:
        """Begin to fetch what differs from what is remembered."""
        for name, url, state in self.listed:
            if state.size <= self.bucket.limit and not _same(state, known.get(state.file)):
                self._waiting.append((name, url, state.size))
        if len(self._waiting) > 1:
            self._pool = ThreadPoolExecutor(AT_ONCE, "bucket")
            self._fill()

    def content(self, name: str, url: str) -> tuple[bytes, str]:
        """(bytes, ETag) of an object, fetched by now or in this thread."""
        if name not in self._fetched:
            return self.bucket.content(name, url)
        try:
            return self._fetched[name][0].result()
        finally:
            del self._fetched[name]
            self._fill()

    def _fill(self) -> None:
        held = sum(size for _, size in self._fetched.values())
        while self._pool and self._waiting and len(self._fetched) < 2 * AT_ONCE:
            name, url, size = self._waiting[0]
            if self._fetched and held + size > AHEAD_BYTES:
                return
            self._waiting.popleft()
            self._fetched[name] = self._pool.submit(self.bucket.content, name, url), size
            held += size
        if self._pool and not self._waiting:
            self._pool.shutdown(wait=False)
            self._pool = None


def _same(listed: FileState, known: FileState | None) -> bool:
    """Whether an object is as it was."""
    if known is None or known.size != listed.size:
        return False
    return known.digest == listed.digest if listed.digest else known.modified == listed.modified


@contextmanager
def connected() -> Iterator[Any]:
    """boto3's client for S3, closed with the block. Raises BadInput without boto3, and for settings of it that cannot
    be."""
    boto3 = _boto3()
    from botocore.config import Config
    from botocore.exceptions import BotoCoreError

    try:
        client = boto3.session.Session().client("s3", config=Config(connect_timeout=_SILENCE, read_timeout=_SILENCE))
    except BotoCoreError as error:
        raise BadInput(
            f"boto3 cannot use its settings: {_line(error)}.", "Check the variables AWS_... and ~/.aws."
        ) from None
    except ValueError:
        raise BadInput("The endpoint of the bucket is no address.", "Write https://host in AWS_ENDPOINT_URL.") from None
    with closing(client):
        yield client


def check_bucket(location: str) -> str:
    """The location in its one form, without a slash at its end. Raises BadInput for what is none, and without boto3."""
    bucket, folder = _parts(location)
    _boto3()
    return f"{SCHEME}{bucket}/{folder}".rstrip("/")


def _parts(location: str) -> tuple[str, str]:
    """(bucket, folder) of s3://bucket/folder. What is no such thing is not repeated: it may hold a secret."""
    found = _LOCATION.fullmatch(location)
    if not found:
        raise BadInput(
            "This is not the location of a bucket.",
            "Write s3://bucket or s3://bucket/folder; credentials belong in the environment or in ~/.aws.",
        )
    return found[1], (found[2] or "").rstrip("/")


def _below(name: str, folder: str) -> str:
    """The key of an object in its source: its path below the folder; "" for one that does not belong to it."""
    if name == folder:
        return name.rpartition("/")[2]
    if folder and not name.startswith(f"{folder}/"):
        return ""  # folder-old/ begins with the same letters
    key = name[len(folder) + 1 :] if folder else name
    return key if is_document(key) else ""


def _boto3() -> Any:
    try:
        import boto3
    except ModuleNotFoundError:
        raise BadInput("Buckets need boto3, which is not installed.", "Run `pip install 'passerine[s3]'`.") from None
    return boto3


def _answered(response: Any, bucket: str, what: str) -> ExtractFailed:
    """What to raise for an answer that is an error."""
    code, status = str(response["Error"].get("Code", "")), response["ResponseMetadata"].get("HTTPStatusCode", 0)
    if code == "NoSuchBucket":
        return FetchFailed(
            f"There is no bucket {bucket}.", "Check its name, and AWS_ENDPOINT_URL if it is not Amazon's."
        )
    if status in (401, 403) or code in _REFUSALS:
        return FetchFailed(f"{what} is refused ({code[:80]}).", RIGHTS)
    if code == "NoSuchKey":
        return Gone(f"{what} is not there.", "Refresh again.")
    said = _line(response["Error"].get("Message", ""))
    return FetchFailed(f"{what} cannot be read: {code[:80]} {said}.", "If that stays so, check AWS_ENDPOINT_URL.")


def _line(said: object) -> str:
    return " ".join(str(said).split())[:200].rstrip(".")
