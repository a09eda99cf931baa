"""An address on the web -> its bytes, politely (robots.txt, a rate a host, nothing fetched twice) and safely.

What answers is not trusted. A name is resolved here and the connection made to the very address that was checked, on
every redirect anew, so that no name and no later answer of its name server leads into a private network. Size counts
after unpacking, time from the first byte sent to the last one read, and no other packing than gzip is accepted.
"""

import ipaddress
import socket
import threading
import time
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from email.message import Message
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.robotparser import RobotFileParser

import httpx

from indexing.extract import DEFAULT_LIMIT
from indexing.types import Cancelled, FetchFailed
from indexing.writer import never

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Address = ipaddress.IPv4Address | ipaddress.IPv6Address

REDIRECTS = 5
"""Browsers follow twenty; a page that needs more than these is lost in a loop."""

_ROBOTS_LIMIT = 512 * 1024  # RFC 9309: at least 500 KiB are read
_LONGEST_PAUSE = 60.0  # seconds; a server that asks for more is left for the next refresh
_PASSING = frozenset({408, 425, 429, 500, 502, 503, 504})
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")


@dataclass(frozen=True, slots=True)
class FetchRules:
    """How pages are fetched.

    `private` lists the networks that may be reached although they are not public, `rate` is in requests a second to
    one host, `limit` in bytes after unpacking, `timeout` in seconds of silence, `seconds` for one whole request.
    """

    private: tuple[Network, ...] = ()
    rate: float = 2.0
    limit: int = DEFAULT_LIMIT
    agent: str = "Passerine"
    timeout: float = 20.0
    seconds: float = 120.0
    attempts: int = 3
    pause: float = 1.0
    """Seconds before the second attempt, doubled before each further one."""


@dataclass(frozen=True, slots=True)
class Validators:
    """What a server wants to hear again to say whether a page has changed; "" when it gave none."""

    etag: str = ""
    modified: str = ""


@dataclass(frozen=True, slots=True)
class Fetched:
    """What an address gave. `url` is where the redirects ended; `charset` is "" when the server names none."""

    url: str
    data: bytes
    media_type: str
    charset: str
    validators: Validators


class Missing(FetchFailed):
    """The server says that there is nothing at this address (404, 410)."""


class _Refused(FetchFailed):
    """The server refuses: any other 4xx."""


class _Passing(FetchFailed):
    """A failure that may be over in a moment; `after` is how long the server asks to wait, in seconds."""

    def __init__(self, message: str, hint: str = "", after: float = 0.0) -> None:
        super().__init__(message, hint)
        self.after = after


def admitted(address: str, private: Sequence[Network]) -> bool:
    """Whether an address is public, or in one of the networks that are allowed.

    An IPv6 address that only wraps an IPv4 one (mapped, 6to4, Teredo, NAT64) is judged by that one.
    """
    outer = ipaddress.ip_address(address.partition("%")[0])
    inner = _wrapped(outer)
    if any(each in network for network in private for each in (outer, inner)):
        return True
    return inner.is_global and not (inner.is_multicast or inner.is_reserved or getattr(inner, "is_site_local", False))


def _wrapped(address: Address) -> Address:
    if not isinstance(address, ipaddress.IPv6Address):
        return address
    if address in _NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour or (address.teredo[1] if address.teredo else address)


def parsed(url: str) -> httpx.URL:
    """Raises FetchFailed for what is no address of a page."""
    try:
        found = httpx.URL(url).copy_with(fragment=None)
    except (httpx.InvalidURL, TypeError, ValueError) as error:
        raise FetchFailed(f"'{url[:200]}' is no address: {error}.", "Write https://example.org/page.") from None
    if found.scheme not in ("http", "https") or not found.host:
        raise FetchFailed(f"'{url[:200]}' is no address of a page.", "It begins with https:// or http://.")
    if found.userinfo:
        raise FetchFailed(f"The address of {found.host} holds a user name.", "Pages behind a login are not fetched.")
    return found


def unpacked(data: bytes, limit: int, what: str) -> bytes:
    """The content of gzip data. Raises FetchFailed for what is damaged, breaks off or grows over `limit` bytes."""
    unpack = zlib.decompressobj(31)
    try:
        found = unpack.decompress(data, limit + 1)
    except zlib.error as error:
        raise FetchFailed(f"{what} is damaged: {error}.") from None
    if len(found) > limit:
        raise too_large(what, limit)
    if not unpack.eof:
        raise FetchFailed(f"{what} broke off.", "The next refresh tries again.")
    return found


class _Checked(httpx.BaseTransport):
    """Connects to checked addresses only. Connections are not kept: one made for a name must not serve another."""

    def __init__(self, private: Sequence[Network]) -> None:
        self.private = private
        self._inner = httpx.HTTPTransport(limits=httpx.Limits(max_keepalive_connections=0))

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        host = request.url.raw_host.decode("ascii")
        found = self._addresses(host, request.url.port)
        for address in found:
            there = httpx.Request(
                request.method,
                request.url.copy_with(host=address),
                headers=request.headers,  # with the name in Host
                extensions={**request.extensions, "sni_hostname": host},
            )
            try:
                return self._inner.handle_request(there)
            except (httpx.ConnectError, httpx.ConnectTimeout):
                if address == found[-1]:
                    raise
        raise AssertionError("no address")

    def _addresses(self, host: str, port: int | None) -> list[str]:
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except OSError as error:
            raise httpx.ConnectError(f"{host} is not known ({error.strerror})") from None
        except UnicodeError:
            raise FetchFailed(f"'{host[:100]}' cannot be the name of a host.", "Check the address.") from None
        addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
        allowed = [address for address in addresses if admitted(address, self.private)]
        if not allowed:
            raise FetchFailed(
                f"{host} is at {addresses[0]}, which is not a public address.",
                "If it is meant, name its network in the setting fetch_private.",
            )
        return allowed

    def close(self) -> None:
        self._inner.close()


@dataclass(slots=True)
class _Host:
    """What one host's robots.txt says, and when it may be asked again. `delay` in seconds, `next_at` monotonic."""

    robots: RobotFileParser | None = None
    delay: float = 0.0
    next_at: float = 0.0


class Fetcher:
    """Fetches pages, one at a time. Remembers each host's robots.txt and pace; close it when done.

    >>> fetcher = Fetcher(FetchRules())
    >>> fetcher.fetch("https://example.org/").media_type
    'text/html'
    """

    def __init__(self, rules: FetchRules, cancelled: Callable[[], bool] = never) -> None:
        self.rules, self.cancelled = rules, cancelled
        self._client = httpx.Client(
            transport=_Checked(rules.private),
            headers={"user-agent": rules.agent, "accept": "*/*", "accept-encoding": "gzip"},
            timeout=httpx.Timeout(rules.timeout),
            trust_env=False,  # a proxy would connect to what nobody checked
        )
        self._hosts: dict[tuple[str, str, int | None], _Host] = {}
        self._socket: socket.socket | None = None

    def fetch(self, url: str, known: Validators | None = None) -> Fetched | None:
        """What is at an address; None when it is as it was when it gave the validators `known`.

        Passing failures are tried again, a few times. Raises FetchFailed with the reason, Missing when there is
        nothing, Cancelled.
        """
        for attempt in range(1, self.rules.attempts + 1):
            try:
                return self._follow(parsed(url), known or Validators())
            except _Passing as error:
                pause = error.after or self.rules.pause * 2 ** (attempt - 1)
                if attempt == self.rules.attempts or pause > _LONGEST_PAUSE:
                    raise FetchFailed(error.message, error.hint or "The next refresh tries again.") from None
                self._sleep(pause)
        raise AssertionError("no attempt")

    def close(self) -> None:
        """Let go of the connections."""
        self._client.close()

    def _follow(self, url: httpx.URL, known: Validators, robots: bool = True) -> Fetched | None:
        for _ in range(REDIRECTS + 1):
            if robots:
                self._check_robots(url)
            found = self._request(url, known)
            if not isinstance(found, httpx.URL):
                return found
            url = found
        raise FetchFailed(f"{url} redirects more than {REDIRECTS} times.", "Name the address where it ends.")

    def _request(self, url: httpx.URL, known: Validators) -> Fetched | httpx.URL | None:
        """One request: what was found, where it is instead, or None when it has not changed."""
        host = self._host(url)
        self._sleep(host.next_at - time.monotonic())
        host.next_at = time.monotonic() + max(1 / self.rules.rate, host.delay)
        given = {"if-none-match": known.etag, "if-modified-since": known.modified}
        headers = {name: value for name, value in given.items() if value}
        request = self._client.build_request("GET", url, headers=headers, extensions={"trace": self._trace})
        with self._within(self.rules.seconds) as over:
            try:
                reply = self._client.send(request, stream=True)
                try:
                    answer = self._answer(url, reply, known)
                finally:
                    reply.close()
                if over.is_set():  # what has no announced length looks whole wherever it ends
                    raise _Passing(f"{url} did not answer in time.")
                return answer
            except httpx.TransportError as error:
                if over.is_set() or isinstance(error, httpx.TimeoutException):
                    raise _Passing(f"{url} did not answer in time.") from None
                if "CERTIFICATE_VERIFY_FAILED" in str(error):
                    raise FetchFailed(f"The certificate of {url.host} cannot be trusted.", str(error)) from None
                raise _Passing(f"{url} cannot be reached: {str(error) or type(error).__name__}.") from None

    def _trace(self, event: str, info: dict[str, Any]) -> None:
        """Keeps the socket of the latest connection, so that a request that takes too long can be ended."""
        if event in ("connection.connect_tcp.complete", "connection.start_tls.complete"):
            self._socket = info["return_value"].get_extra_info("socket")

    @contextmanager
    def _within(self, seconds: float) -> Iterator[threading.Event]:
        """Ends the connection after so many seconds, however it dribbles; the event then says so."""
        over = threading.Event()

        def end() -> None:
            over.set()
            if self._socket:
                with suppress(OSError):  # closed already
                    self._socket.shutdown(socket.SHUT_RDWR)

        self._socket = None
        timer = threading.Timer(seconds, end)
        timer.daemon = True
        timer.start()
        try:
            yield over
        finally:
            timer.cancel()

    def _answer(self, url: httpx.URL, reply: httpx.Response, known: Validators) -> Fetched | httpx.URL | None:
        status = reply.status_code
        if status == 304 and known != Validators():
            return None
        if reply.has_redirect_location:
            return parsed(str(url.join(reply.headers["location"])))
        if status in (404, 410):
            raise Missing(f"{url} is not there ({status}).", "Take it off the list.")
        if status in _PASSING:
            raise _Passing(f"{url} answered {status} {reply.reason_phrase}.", after=_retry_after(reply))
        if status not in (200, 203):
            raise (_Refused if 400 <= status < 500 else FetchFailed)(
                f"{url} answered {status} {reply.reason_phrase}.", "Does it need a login? Such pages are not fetched."
            )
        kind = Message()
        kind["content-type"] = reply.headers.get("content-type", "")
        return Fetched(
            str(url),
            self._body(url, reply),
            kind.get_content_type() if kind["content-type"] else "",
            str(kind.get_param("charset") or ""),
            Validators(reply.headers.get("etag", ""), reply.headers.get("last-modified", "")),
        )

    def _body(self, url: httpx.URL, reply: httpx.Response) -> bytes:
        limit, packing = self.rules.limit, reply.headers.get("content-encoding", "identity").strip().lower()
        if packing not in ("identity", "", "gzip", "x-gzip"):
            raise FetchFailed(f"{url} is packed as '{packing[:40]}', which was not asked for.")
        if reply.headers.get("content-length", "").isdigit() and int(reply.headers["content-length"]) > limit:
            raise too_large(str(url), limit)
        unpack = zlib.decompressobj(31) if "gzip" in packing else None
        data = bytearray()
        for piece in reply.iter_raw(1 << 16):
            if self.cancelled():
                raise stopped()
            try:
                data += unpack.decompress(piece, limit + 1 - len(data)) if unpack else piece
            except zlib.error as error:
                raise FetchFailed(f"{url} is damaged: {error}.") from None
            if len(data) > limit:
                raise too_large(str(url), limit)
        if unpack and not unpack.eof:
            raise _Passing(f"{url} broke off.")
        return bytes(data)

    def _host(self, url: httpx.URL) -> _Host:
        return self._hosts.setdefault((url.scheme, url.host, url.port), _Host())

    def _check_robots(self, url: httpx.URL) -> None:
        """Raises FetchFailed where robots.txt forbids the page, or cannot be had; a missing one forbids nothing."""
        host = self._host(url)
        if host.robots is None:
            lines: list[str] = []
            with suppress(Missing, _Refused):  # as RFC 9309 has it
                found = self._follow(url.copy_with(path="/robots.txt", query=None), Validators(), robots=False)
                lines = found.data[:_ROBOTS_LIMIT].decode("utf-8", "replace").splitlines() if found else []
            host.robots = RobotFileParser()
            host.robots.parse([line for line in lines if "[" not in line])  # half an IPv6 address makes it raise
            host.delay = min(_delay(host.robots, self.rules.agent), _LONGEST_PAUSE)
        if not host.robots.can_fetch(self.rules.agent, str(url)):
            raise FetchFailed(f"The robots.txt of {url.host} forbids {url}.", "Ask the owner of the site.")

    def _sleep(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            if self.cancelled():
                raise stopped()
            time.sleep(min(left, 0.1))


def _delay(robots: RobotFileParser, agent: str) -> float:
    """Seconds between two requests that a robots.txt asks for."""
    rate = robots.request_rate(agent)
    return max(float(robots.crawl_delay(agent) or 0), rate.seconds / rate.requests if rate and rate.requests else 0)


def _retry_after(reply: httpx.Response) -> float:
    """Seconds that a server asks to wait, 0 when it does not say."""
    given = reply.headers.get("retry-after", "")
    if given.isdigit():
        return float(given)
    try:
        return max(0.0, parsedate_to_datetime(given).timestamp() - time.time())
    except (ValueError, TypeError):
        return 0.0


def too_large(what: str, limit: int) -> FetchFailed:
    """What to raise for an address that gives more than `limit` bytes."""
    return FetchFailed(
        f"{what} is larger than {limit / 2**20:,.1f} MiB.", "Leave it out, or raise the setting fetch_limit."
    )


def stopped() -> Cancelled:
    """What to raise when the caller stopped the work."""
    return Cancelled("The refresh was stopped.", "What was done is kept; run it again to go on.")
