"""Pages are fetched politely and once, and nothing that answers can do harm."""

import gzip
import socket
import ssl
import subprocess
import threading
import time
import zlib
from dataclasses import replace
from http.server import BaseHTTPRequestHandler
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest

from indexing.fetch import Fetcher, FetchRules, Missing, Validators, admitted
from indexing.types import Cancelled, FetchFailed
from tests.site import LOOPBACK, Answer, Site, http_date, serving


def refusal(fetcher: Fetcher, url: str) -> str:
    with pytest.raises(FetchFailed) as caught:
        fetcher.fetch(url)
    return caught.value.message


def test_a_page_comes_with_its_kind_and_validators(site: Site, fetcher: Fetcher) -> None:
    changed = http_date(1_700_000_000)
    site.write("/a", "Grüße", "Text/HTML; Charset=ISO-8859-1", last_modified=changed, etag='"1"')
    found = fetcher.fetch(f"{site.url}/a#part")
    assert found
    assert (found.url, found.data) == (f"{site.url}/a", "Grüße".encode())
    assert (found.media_type, found.charset) == ("text/html", "ISO-8859-1")
    assert found.validators == Validators('"1"', changed)
    assert site.headers[-1]["user-agent"] == "Passerine"
    assert site.headers[-1]["host"] == site.url.removeprefix("http://")


def test_what_has_not_changed_is_not_sent_again(site: Site, fetcher: Fetcher) -> None:
    site.write("/a", "words")
    first = fetcher.fetch(f"{site.url}/a")
    assert first
    assert fetcher.fetch(f"{site.url}/a", first.validators) is None
    site.write("/a", "other words")
    assert fetcher.fetch(f"{site.url}/a", first.validators)
    assert [status for _, status in site.take_asked()] == [200, 304, 200]


@pytest.mark.parametrize("status", [404, 410])
def test_what_is_not_there_is_told_from_what_fails(site: Site, fetcher: Fetcher, status: int) -> None:
    site.pages["/gone"] = Answer(b"", status)
    with pytest.raises(Missing, match=str(status)):
        fetcher.fetch(f"{site.url}/gone")
    site.pages["/closed"] = Answer(b"", 403)
    with pytest.raises(FetchFailed, match="403") as caught:
        fetcher.fetch(f"{site.url}/closed")
    assert not isinstance(caught.value, Missing)


# Politeness


def test_robots_are_obeyed_and_asked_for_once(site: Site, fetcher: Fetcher) -> None:
    site.write("/robots.txt", "User-agent: passerine\nDisallow: /private\n\nUser-agent: *\nDisallow: /\n", "text/plain")
    site.write("/open", "words")
    site.write("/private/x", "words")
    assert fetcher.fetch(f"{site.url}/open")
    assert "robots.txt" in refusal(fetcher, f"{site.url}/private/x")
    assert site.asked == [("/robots.txt", 200), ("/open", 200)]


@pytest.mark.parametrize(("status", "allowed"), [(404, True), (401, True), (403, True), (503, False), (500, False)])
def test_missing_robots_forbid_nothing_and_broken_ones_everything(site: Site, status: int, allowed: bool) -> None:
    site.pages["/robots.txt"] = Answer(b"", status)
    site.write("/a", "words")
    fetcher = Fetcher(LOOPBACK)
    if allowed:
        assert fetcher.fetch(f"{site.url}/a")
    else:
        assert f"{status}" in refusal(fetcher, f"{site.url}/a")
        assert site.take_asked() == []
    fetcher.close()


def test_robots_of_any_bytes_are_survived(site: Site, fetcher: Fetcher) -> None:
    robots = b"User-agent: *\nDisallow: http://[broken\nCrawl-delay: many\n\xff\xfe\x00\nDisallow: /x\n"
    site.write("/robots.txt", robots, "text/plain")
    site.write("/a", "words")
    assert fetcher.fetch(f"{site.url}/a")
    assert "forbids" in refusal(fetcher, f"{site.url}/x")


def test_a_host_is_not_asked_faster_than_its_rate(site: Site) -> None:
    for name in "abc":
        site.write(f"/{name}", "words")
    fetcher, began = Fetcher(replace(LOOPBACK, rate=10)), time.monotonic()
    for name in "abc":
        fetcher.fetch(f"{site.url}/{name}")
    assert time.monotonic() - began >= 0.3  # robots.txt and three pages: three pauses of a tenth
    fetcher.close()


def test_a_crawl_delay_is_kept(site: Site) -> None:
    site.write("/robots.txt", "User-agent: *\nCrawl-delay: 1\n", "text/plain")
    site.write("/a", "words")
    fetcher, began = Fetcher(LOOPBACK), time.monotonic()
    fetcher.fetch(f"{site.url}/a")
    fetcher.fetch(f"{site.url}/a")
    assert time.monotonic() - began >= 1
    fetcher.close()


def test_a_wait_ends_when_the_refresh_is_stopped(site: Site) -> None:
    site.write("/a", "words")
    stopped = threading.Event()
    fetcher = Fetcher(replace(LOOPBACK, rate=0.01), stopped.is_set)
    threading.Timer(0.2, stopped.set).start()
    with pytest.raises(Cancelled):
        fetcher.fetch(f"{site.url}/a")
    fetcher.close()


# Failures that pass, and those that do not


def test_a_passing_failure_is_tried_again(site: Site, fetcher: Fetcher) -> None:
    site.pages["/a"] = [Answer(b"", 503), Answer(b"", 429, {"retry-after": "0"}), Answer(b"words")]
    found = fetcher.fetch(f"{site.url}/a")
    assert found
    assert found.data == b"words"
    assert [status for _, status in site.take_asked()] == [503, 429, 200]


def test_trying_ends(site: Site, fetcher: Fetcher) -> None:
    site.pages["/a"] = Answer(b"", 500)
    assert "500" in refusal(fetcher, f"{site.url}/a")
    assert len(site.take_asked()) == 3
    site.pages["/b"] = Answer(b"", 503, {"retry-after": "3600"})
    assert "503" in refusal(fetcher, f"{site.url}/b")
    assert len(site.take_asked()) == 1, "an hour is not waited for"


def test_redirects_are_followed_and_counted(site: Site, fetcher: Fetcher) -> None:
    site.pages["/a"] = Answer(b"", 301, {"location": "/b"})
    site.pages["/b"] = Answer(b"", 302, {"location": f"{site.url}/c"})
    site.write("/c", "words")
    found = fetcher.fetch(f"{site.url}/a")
    assert found
    assert found.url == f"{site.url}/c"
    site.pages["/loop"] = Answer(b"", 302, {"location": "/loop"})
    assert "redirects more than" in refusal(fetcher, f"{site.url}/loop")
    site.write("/robots.txt", "User-agent: *\nDisallow: /c\n", "text/plain")
    again = Fetcher(LOOPBACK)
    assert "forbids" in refusal(again, f"{site.url}/a"), "a redirect does not lead around robots.txt"
    again.close()


@pytest.mark.parametrize(
    "url",
    [
        "",
        "x",
        f"http://{'a' * 64}.org/",
        "http://a..org/",
        "file:///etc/passwd",
        "ftp://a.org/x",
        "http://",
        "http://[",
        "//a.org",
        "http://me:secret@a.org/",
        "\0",
    ],
)
def test_only_addresses_of_pages_are_fetched(fetcher: Fetcher, url: str) -> None:
    assert "secret" not in refusal(fetcher, url)


@pytest.mark.parametrize("location", ["file:///etc/passwd", "gopher://x/", "http://[", "http://user@127.0.0.1/"])
def test_a_redirect_leads_to_pages_only(site: Site, fetcher: Fetcher, location: str) -> None:
    site.pages["/a"] = Answer(b"", 302, {"location": location})
    refusal(fetcher, f"{site.url}/a")


def test_a_silent_server_does_not_hold_the_refresh(site: Site) -> None:
    def dribble(request: BaseHTTPRequestHandler) -> None:
        request.wfile.write(b"HTTP/1.1 200 OK\r\n")
        try:
            for number in range(1000):
                request.wfile.write(b"x-%d: y\r\n" % number)
                time.sleep(0.05)
        except OSError:
            return

    site.pages["/dribble"] = Answer(raw=dribble)

    def drip(request: BaseHTTPRequestHandler) -> None:
        request.wfile.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/html\r\n\r\n")
        try:
            for _ in range(1000):
                request.wfile.write(b"<p>words</p>")
                time.sleep(0.05)
        except OSError:
            return

    site.pages["/drip"] = Answer(raw=drip)
    site.pages["/silent"] = Answer(raw=lambda _: time.sleep(2))
    fetcher = Fetcher(replace(LOOPBACK, attempts=1, seconds=0.4, timeout=10))
    for path in ("/dribble", "/drip", "/silent"):
        assert "in time" in refusal(fetcher, f"{site.url}{path}")
    fetcher.close()


def test_what_is_not_http_is_a_failure(site: Site) -> None:
    fetcher = Fetcher(replace(LOOPBACK, attempts=1))
    site.pages["/noise"] = Answer(raw=lambda request: request.wfile.write(b"\x00\x01 nonsense\r\n\r\n") and None)
    site.pages["/short"] = Answer(b"abc", headers={"content-length": "100"})
    for path in ("/noise", "/short"):
        assert "cannot be reached" in refusal(fetcher, f"{site.url}{path}")
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    assert "cannot be reached" in refusal(fetcher, f"http://127.0.0.1:{port}/")
    assert "no-such-host.invalid" in refusal(fetcher, "http://no-such-host.invalid/")
    fetcher.close()


# Size


def test_size_counts_after_unpacking(site: Site) -> None:
    fetcher = Fetcher(replace(LOOPBACK, limit=10_000))
    bomb = gzip.compress(bytes(50_000_000))
    assert len(bomb) < 50_000
    site.pages["/bomb"] = Answer(bomb[:9_000] if len(bomb) > 9_000 else bomb, headers={"content-encoding": "gzip"})
    site.pages["/long"] = Answer(b"x" * 10_001)
    site.pages["/endless"] = Answer(raw=endless)
    for path in ("/bomb", "/long", "/endless"):
        assert "larger than" in refusal(fetcher, f"{site.url}{path}")
    site.pages["/fits"] = Answer(gzip.compress(b"x" * 10_000), headers={"content-encoding": "gzip"})
    found = fetcher.fetch(f"{site.url}/fits")
    assert found
    assert found.data == b"x" * 10_000
    fetcher.close()


def endless(request: BaseHTTPRequestHandler) -> None:
    """A body without an announced length that never ends."""
    request.wfile.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\n\r\n")
    try:
        while True:
            request.wfile.write(b"x" * 4096)
    except OSError:
        return


@pytest.mark.parametrize(
    ("packing", "body"),
    [
        ("br", b"x"),
        ("gzip, gzip", gzip.compress(gzip.compress(b"x"))),
        ("zstd", b"x"),
        ("gzip", b"no gzip at all"),
        ("gzip", zlib.compress(b"x")),
    ],
)
def test_other_packing_is_refused(site: Site, fetcher: Fetcher, packing: str, body: bytes) -> None:
    site.pages["/a"] = Answer(body, headers={"content-encoding": packing})
    assert "packed as" in (said := refusal(fetcher, f"{site.url}/a")) or "damaged" in said


def test_a_packed_page_that_breaks_off_is_not_taken_for_whole(site: Site, fetcher: Fetcher) -> None:
    site.pages["/a"] = Answer(gzip.compress(b"words " * 1000)[:-9], headers={"content-encoding": "gzip"})
    assert "broke off" in refusal(fetcher, f"{site.url}/a")


# Private addresses


@pytest.mark.parametrize(
    "address",
    [
        *("127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0"),
        *("224.0.0.1", "240.0.0.1", "255.255.255.255", "198.18.0.1", "192.0.2.1"),
        *("::1", "::", "fe80::1", "fe80::1%eth0", "fc00::1", "fec0::1", "ff02::1", "2001:db8::1"),
        *("::ffff:127.0.0.1", "::ffff:10.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::", "::127.0.0.1"),
        "2001:0:4136:e378:8000:63bf:80ff:fffe",  # Teredo around 127.0.0.1
    ],
)
def test_private_addresses_are_known_in_every_guise(address: str) -> None:
    assert not admitted(address, ())


@pytest.mark.parametrize(
    "address", ["1.1.1.1", "93.184.216.34", "2606:4700::1111", "::ffff:1.1.1.1", "64:ff9b::101:101"]
)
def test_public_addresses_are_admitted(address: str) -> None:
    assert admitted(address, ())


def test_allowed_networks_are_admitted_and_no_others() -> None:
    allowed = (ip_network("10.1.0.0/16"), ip_network("fd00::/8"))
    assert admitted("10.1.9.9", allowed)
    assert admitted("::ffff:10.1.9.9", allowed)
    assert admitted("fd12::1", allowed)
    assert not admitted("10.2.0.1", allowed)
    assert not admitted("127.0.0.1", allowed)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "2130706433", "0x7f.1", "[::ffff:127.0.0.1]", "127.1"])
def test_this_machine_is_not_asked_unless_allowed(site: Site, host: str) -> None:
    port = site.url.rpartition(":")[2]
    fetcher = Fetcher(FetchRules(rate=1000, pause=0.01))
    assert "not a public address" in refusal(fetcher, f"http://{host}:{port}/")
    assert site.asked == []
    fetcher.close()


def test_a_redirect_does_not_lead_into_a_private_network(site: Site) -> None:
    """127.0.0.1 is allowed, 127.0.0.2 is not: the second server is never asked."""
    with serving(Site(), "127.0.0.2") as inner:
        inner.write("/secret", "words")
        site.pages["/a"] = Answer(b"", 302, {"location": f"{inner.url}/secret"})
        site.pages["/robots.txt"] = Answer(b"", 404)
        fetcher = Fetcher(replace(LOOPBACK, private=(ip_network("127.0.0.1/32"),)))
        assert "127.0.0.2, which is not a public address" in refusal(fetcher, f"{site.url}/a")
        assert inner.asked == []
        fetcher.close()


def test_a_name_that_changes_its_address_gains_nothing(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """A name server that answers with an allowed address first and a private one later (DNS rebinding)."""
    real, answers = socket.getaddrinfo, ["127.0.0.1", "127.0.0.1", "127.0.0.2"]

    def rebinding(host: Any, *rest: Any, **named: Any) -> Any:
        return real(answers.pop(0) if host == "rebind.test" else host, *rest, **named)

    monkeypatch.setattr(socket, "getaddrinfo", rebinding)
    with serving(Site(), "127.0.0.2") as inner:
        port = site.url.rpartition(":")[2]
        site.write("/a", "words")
        fetcher = Fetcher(replace(LOOPBACK, private=(ip_network("127.0.0.1/32"),)))
        assert fetcher.fetch(f"http://rebind.test:{port}/a")
        assert answers == ["127.0.0.2"], "robots.txt and the page: each name is looked up once a request"
        assert site.headers[-1]["host"] == f"rebind.test:{port}"
        assert "not a public address" in refusal(fetcher, f"http://rebind.test:{port}/b")
        assert inner.asked == []
        fetcher.close()


def test_a_name_of_several_addresses_is_reached_at_the_one_that_answers(
    site: Site, fetcher: Fetcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = socket.getaddrinfo

    def several(_: Any, *rest: Any, **named: Any) -> Any:
        return [entry for address in ("10.0.0.1", "127.0.0.9", "127.0.0.1") for entry in real(address, *rest, **named)]

    monkeypatch.setattr(socket, "getaddrinfo", several)
    site.write("/a", "words")
    assert fetcher.fetch(f"http://many.test:{site.url.rpartition(':')[2]}/a")


def test_a_proxy_of_the_environment_is_not_used(site: Site, fetcher: Fetcher, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    site.write("/a", "words")
    assert fetcher.fetch(f"{site.url}/a")


def test_certificates_are_checked_against_the_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"]
    names = ["-subj", "/CN=site.test", "-addext", "subjectAltName=DNS:site.test"]
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    subprocess.run([*make, *names, "-keyout", key, "-out", certificate], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    real = socket.getaddrinfo
    monkeypatch.setattr(socket, "getaddrinfo", lambda _, *rest, **named: real("127.0.0.1", *rest, **named))
    with serving(Site(), "127.0.0.1", context) as site:
        site.write("/a", "words")
        port = site.url.rpartition(":")[2]
        stranger = Fetcher(replace(LOOPBACK, attempts=1))
        assert "certificate" in refusal(stranger, f"https://site.test:{port}/a")
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        fetcher = Fetcher(replace(LOOPBACK, attempts=1))
        assert fetcher.fetch(f"https://site.test:{port}/a")
        assert "certificate" in refusal(fetcher, f"https://other.test:{port}/a")
        for each in (stranger, fetcher):
            each.close()
