"""Sources and their refreshes as people meet them: over HTTP, on the command line, from cron."""

import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from indexing.store import Index
from indexing.types import Conflict, PasserineError
from service.app import build
from service.application import Application
from service.config import load
from tests.hashing import HashingEncoder
from tests.serving import Served, listening, running, wait_until
from tests.site import Answer, Site, serving
from tests.test_api import error_of
from tests.test_cli import plain, run

ROOT = Path(__file__).parent.parent


@pytest.fixture(autouse=True)
def hashing(monkeypatch: pytest.MonkeyPatch) -> None:
    """The subject is not the vectors' quality."""
    monkeypatch.setattr("service.app.make_encoder", lambda _: HashingEncoder())


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    with running(tmp_path / "home", False, fetch_private="127.0.0.0/8", fetch_rate=1000) as service:
        yield service


@pytest.fixture
def docs(tmp_path: Path) -> Path:
    folder = tmp_path / "docs"
    folder.mkdir()
    (folder / "a.md").write_text("# Alpha\n\nThe zebra grazes.\n")
    (folder / "b.md").write_text("# Beta\n\nThe yak climbs.\n")
    return folder


def refreshed(client: httpx.Client, name: str) -> dict[str, Any]:
    """The job of a refresh, when it has ended, with its failures."""
    reply = client.post(f"/v1/sources/{name}/refresh")
    assert reply.status_code == 202, reply.text
    path = f"/v1/jobs/{reply.json()['id']}"
    wait_until(lambda: client.get(path).json()["job"]["state"] not in ("queued", "running"))
    found: dict[str, Any] = client.get(path).json()
    return found


# Over HTTP


def test_a_source_is_added_refreshed_searched_and_removed(served: Served, docs: Path) -> None:
    reply = served.client.post("/v1/sources", json={"location": str(docs)})
    assert reply.status_code == 201
    assert (reply.json()["name"], reply.json()["kind"], reply.json()["last_job"]) == ("docs", "path", None)
    (docs / "bad.pdf").write_bytes(b"%PDF-1.7 and then nothing")
    ended = refreshed(served.client, "docs")
    assert (ended["job"]["state"], ended["job"]["added"], ended["job"]["failed"]) == ("done", 2, 1)
    assert "bad.pdf" in ended["failures"][0]["reason"]
    (source,) = served.client.get("/v1/sources").json()["sources"]
    assert source["last_job"]["id"] == ended["job"]["id"]
    hits = served.client.get("/v1/search", params={"q": "zebra", "source": source["key"]}).json()["hits"]
    assert hits[0]["passage"]["text"].endswith("The zebra grazes.")
    work = served.client.get("/v1/status").json()["refresh"]
    assert (work["running"], work["report"]) == (False, "2 added, 0 changed, 0 removed, 0 same, 1 failed")
    assert served.client.delete("/v1/sources/docs").status_code == 204
    assert served.client.get("/v1/search", params={"q": "zebra"}).status_code == 503, "nothing is indexed any more"
    assert served.client.get("/v1/jobs").json() == {"jobs": [], "total": 0, "offset": 0}
    assert error_of(served.client.get("/v1/sources/docs"))["code"] == "not_found"


def test_pages_are_tried_and_then_kept(served: Served) -> None:
    with serving(Site()) as site:
        site.article("/zebra", "Animals", "The zebra grazes.")
        site.write("/sitemap.xml", f"<urlset><url><loc>{site.url}/zebra</loc></url></urlset>", "text/xml")
        body = {"location": f"{site.url}/sitemap.xml", "name": "zoo"}
        found = served.client.post("/v1/sources/test", json=body).json()
        assert (found["listed"], found["documents"][0]["title"], found["failed"]) == (1, "Animals", [])
        assert served.client.get("/v1/sources").json()["sources"] == []
        assert served.client.post("/v1/sources", json=body).json()["kind"] == "sitemap"
        assert refreshed(served.client, "zoo")["job"]["added"] == 1
        site.take_asked()
        assert refreshed(served.client, "zoo")["job"]["same"] == 1
        assert site.take_asked() == [("/sitemap.xml", 200), ("/zebra", 304)]
        (hit, *_) = served.client.get("/v1/search", params={"q": "zebra", "source": "zoo"}).json()["hits"]
        assert hit["document"]["url"] == f"{site.url}/zebra"


@pytest.mark.parametrize(
    ("body", "status", "said"),
    [
        ({}, 422, "location"),
        ({"location": " "}, 422, "location"),
        ({"location": "/no/such/folder"}, 422, "no file or folder"),
        ({"location": "/tmp", "kind": "pages"}, 422, "kind"),
        ({"location": "/tmp", "name": "api"}, 422, "name"),
        ({"location": "/tmp", "name": "upload"}, 422, "name"),
        ({"location": "/tmp", "querry": "x"}, 422, "querry"),
        ({"location": "https://a.org/", "query": "SELECT 1", "kind": "page"}, 422, "query"),
    ],
)
def test_wrong_sources_are_named(served: Served, body: dict[str, str], status: int, said: str) -> None:
    for path in ("/v1/sources", "/v1/sources/test"):
        reply = served.client.post(path, json=body)
        assert reply.status_code == status
        assert said in error_of(reply)["message"]


def test_what_is_not_there_is_not_found(served: Served) -> None:
    for method, path in (
        ("GET", "/v1/sources/none"),
        ("DELETE", "/v1/sources/none"),
        ("POST", "/v1/sources/none/refresh"),
        ("GET", "/v1/jobs/none"),
    ):
        reply = served.client.request(method, path)
        assert (reply.status_code, error_of(reply)["code"]) == (404, "not_found")


def test_sources_and_jobs_come_in_pages(served: Served, docs: Path) -> None:
    for name in ("alpha", "beta", "gamma"):
        (docs / name).mkdir()
        added = served.client.post("/v1/sources", json={"location": str(docs / name), "name": name})
        assert added.status_code == 201
        with served.application.refreshes.jobs.recorded(served.application.refreshes.jobs.begin(name)):
            pass
    for path, kind, label, order in (
        ("/v1/sources", "sources", "name", ["alpha", "beta", "gamma"]),
        ("/v1/jobs", "jobs", "source", ["gamma", "beta", "alpha"]),
    ):
        pages = [served.client.get(path, params={"limit": 2, "offset": offset}).json() for offset in (0, 2)]
        assert [each[label] for page in pages for each in page[kind]] == order
        assert [(page["total"], page["offset"]) for page in pages] == [(3, 0), (3, 2)]
        assert served.client.get(path, params={"limit": 0}).status_code == 422
    assert served.client.get("/v1/jobs", params={"source": "beta"}).json()["total"] == 1


def test_other_machines_may_not_name_this_ones_files(tmp_path: Path, docs: Path) -> None:
    application = build(load({"home": tmp_path / "home", "host": "0.0.0.0", "insecure_listen": True}, {}))
    application.refreshes.sources.add(str(docs))
    with listening(application) as client:
        for body in (
            {"location": str(docs), "name": "mine"},
            {"location": "/no/such/folder"},
            {"location": "postgresql://host/x", "query": "SELECT 1", "kind": "query"},
            {"location": "s3://docs"},
        ):
            for path in ("/v1/sources", "/v1/sources/test"):
                reply = client.post(path, json=body)
                assert reply.status_code == 403, reply.text
        assert client.delete("/v1/sources/docs").status_code == 403
        assert client.post("/v1/sources", json={"location": "https://a.org/"}).status_code == 201


def test_refreshes_run_one_at_a_time_and_a_running_one_can_be_removed(served: Served) -> None:
    reached, go_on = threading.Event(), threading.Event()

    def wait(request: Any) -> None:
        reached.set()
        go_on.wait(100)
        request.wfile.write(b"HTTP/1.0 200 OK\r\ncontent-type: text/html\r\n\r\n<p>The zebra grazes.</p>")

    with serving(Site()) as site:
        site.pages["/slow"] = Answer(raw=wait)
        site.article("/quick", "Quick", "The yak climbs.")
        for name in ("slow", "quick"):
            served.client.post("/v1/sources", json={"location": f"{site.url}/{name}", "name": name})
        slow = served.client.post("/v1/sources/slow/refresh").json()
        assert reached.wait(100)
        quick = served.client.post("/v1/sources/quick/refresh").json()
        states = {job["id"]: job["state"] for job in served.client.get("/v1/jobs").json()["jobs"]}
        assert states == {slow["id"]: "running", quick["id"]: "queued"}
        assert served.client.get("/v1/status").json()["refresh"]["running"] is True
        removal = threading.Thread(target=lambda: served.client.delete("/v1/sources/slow"))
        removal.start()
        time.sleep(0.1)
        go_on.set()
        removal.join(100)
        wait_until(lambda: served.client.get(f"/v1/jobs/{quick['id']}").json()["job"]["state"] == "done")
        assert [source["name"] for source in served.client.get("/v1/sources").json()["sources"]] == ["quick"]
        library = served.application.library.now()
        assert [source.source for source in library.index.sources()] == ["quick"]


def test_a_folder_that_was_being_read_before_it_was_a_source_is_removed_with_it(
    served: Served, docs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reached, go_on = threading.Event(), threading.Event()
    encode = HashingEncoder.encode_passages

    def wait(encoder: HashingEncoder, texts: Any) -> Any:
        reached.set()
        go_on.wait(100)
        return encode(encoder, texts)

    monkeypatch.setattr(HashingEncoder, "encode_passages", wait)
    job = served.application.worker.submit(str(docs))
    assert reached.wait(100)
    added = served.client.post("/v1/sources", json={"location": str(docs)}).json()
    assert (added["last_job"]["id"], added["last_job"]["state"]) == (job.id, "running")
    assert served.client.post("/v1/sources/docs/refresh").json()["state"] == "queued"
    replies: list[httpx.Response] = []
    removal = threading.Thread(target=lambda: replies.append(served.client.delete("/v1/sources/docs")))
    removal.start()
    time.sleep(0.2)
    go_on.set()
    removal.join(100)
    assert replies[0].status_code == 204, replies[0].text
    assert served.client.get("/v1/jobs").json()["jobs"] == []
    assert served.application.library.now().counts().documents == 0


def test_a_refresh_by_its_path_is_one_of_the_source(served: Served, docs: Path) -> None:
    served.client.post("/v1/sources", json={"location": str(docs)})
    served.application.refreshes.run(str(docs))
    job = served.application.worker.submit(f"{docs}/../docs")
    wait_until(lambda: served.client.get(f"/v1/jobs/{job.id}").json()["job"]["state"] == "done")
    assert served.client.get("/v1/jobs", params={"source": "docs"}).json()["total"] == 2


def test_jobs_wait_while_another_process_refreshes(served: Served, docs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("service.refreshes.LOOK_SECONDS", 0.1)
    served.client.post("/v1/sources", json={"location": str(docs)})
    other = Index.create(served.application.settings.index_folder, HashingEncoder())
    with other.refreshing():
        served.client.post("/v1/sources/docs/refresh")
        time.sleep(0.5)
        assert {job["state"] for job in served.client.get("/v1/jobs").json()["jobs"]} <= {"queued", "running"}
        with pytest.raises(Conflict):
            served.application.refreshes.run("docs")
    wait_until(lambda: [job["state"] for job in served.client.get("/v1/jobs").json()["jobs"]] == ["done"])


def test_a_job_that_the_end_of_the_service_cut_short_goes_on_at_its_next_start(tmp_path: Path, docs: Path) -> None:
    def application() -> Application:
        return build(load({"home": tmp_path / "home"}, {}))

    for number in range(300):
        (docs / f"{number}.md").write_text(f"# Page {number}\n\nThe zebra number{number} grazes.\n")
    first = application()
    first.refreshes.sources.add(str(docs))
    first.worker.submit("docs")
    wait_until(lambda: (job := first.refreshes.jobs.last("docs")) and job.state == "running")
    first.close()
    second = application()
    second.worker.start()
    wait_until(lambda: (job := second.refreshes.jobs.last("docs")) and job.state == "done")
    assert second.library.now().counts().documents == 302
    second.close()


# On the command line


def test_an_address_is_refreshed_without_being_kept(tmp_path: Path, site: Site) -> None:
    home, url = tmp_path / "home", f"{site.url}/page"
    site.write("/page", "<title>Lake</title><p>The heron waits by the lake for hours.</p>", "text/html")
    given = ("--home", home, "--set", "fetch_private=127.0.0.0/8", "--set", "fetch_rate=1000")
    assert run(*given, "refresh", url)[:2] == (0, "1 added, 0 changed, 0 removed, 0 same, 0 failed\n")
    assert run(*given, "refresh", url)[1].startswith("0 added, 0 changed, 0 removed, 1 same")
    assert "There is no source" in run(*given, "source", "list")[1]
    assert [document.source for document in Index.open(home / "index").documents()] == [url]


def test_sources_on_the_command_line(tmp_path: Path, docs: Path) -> None:
    home = tmp_path / "home"
    assert run("--home", home, "refresh")[0] == 2
    assert "no source" in run("--home", home, "source", "list")[1]
    status, out, _ = run("--home", home, "source", "test", docs)
    assert (status, "Alpha" in out, "2 listed" in out) == (0, True, True)
    status, out, err = run("--home", home, "source", "add", docs)
    assert (status, out.strip(), "passerine refresh docs" in err) == (0, f"docs: path {docs}", True)
    assert run("--home", home, "refresh")[:2] == (0, "2 added, 0 changed, 0 removed, 0 same, 0 failed\n")
    assert run("--home", home, "refresh", "docs")[1].startswith("0 added, 0 changed, 0 removed, 2 same")
    (docs / "a.md").unlink()
    (docs / "bad.pdf").write_bytes(b"%PDF-1.7 and then nothing")
    status, out, _ = run("--home", home, "refresh", "docs", "--dry-run")
    assert (status, out) == (3, "would be: 0 added, 0 changed, 1 removed, 1 same, 1 failed\n")
    assert run("--home", home, "refresh", "docs")[0] == 3
    out = run("--home", home, "source", "list")[1]
    assert "0 added, 0 changed, 1 removed, 1 same, 1 failed" in out
    assert "bad.pdf is a damaged PDF" in out
    assert "1 removed" in run("--home", home, "status")[1]
    status, out, _ = run("--home", home, "source", "remove", "docs")
    assert (status, out) == (0, "docs is removed, and 1 documents of it from the index.\n")
    assert (docs / "b.md").is_file()
    assert run("--home", home, "source", "remove", "docs")[0] == 1


def test_one_source_that_fails_does_not_hinder_the_next(tmp_path: Path, docs: Path) -> None:
    home, gone = tmp_path / "home", tmp_path / "gone"
    gone.mkdir()
    (gone / "c.md").write_text("# Gamma\n\nThe gnu runs.\n")
    for folder in (docs, gone):
        run("--home", home, "source", "add", folder)
    (gone / "c.md").unlink()
    gone.rmdir()
    with sqlite3.connect(tmp_path / "shop.db") as connection:
        connection.execute("CREATE TABLE goods AS SELECT 1 AS id, 'It shines.' AS text")
    run("--home", home, "source", "add", f"sqlite:///{tmp_path / 'shop.db'}", "--query", "SELECT * FROM goods")
    status, out, err = run("--home", home, "refresh")
    assert status == 1
    assert out.splitlines() == [
        "docs: 2 added, 0 changed, 0 removed, 0 same, 0 failed",
        "shop.db: 1 added, 0 changed, 0 removed, 0 same, 0 failed",
    ]
    assert "gone cannot be read" in plain(err).replace("\n", " ")
    assert "failed: " in run("--home", home, "source", "list")[1]


def test_a_refresh_beside_another_says_so_and_leaves(tmp_path: Path, docs: Path) -> None:
    home = tmp_path / "home"
    index = Index.create(home / "index", HashingEncoder())
    with index.refreshing():
        status, _, err = run("--home", home, "refresh", docs)
    assert (status, "refreshing" in err) == (4, True)
    assert run("--home", home, "refresh", docs)[0] == 0


COMMAND = """
import time
import service.app
from service.cli import main
from tests.hashing import HashingEncoder

class Slow(HashingEncoder):
    def encode_passages(self, texts):
        time.sleep(0.02 * len(texts))
        return super().encode_passages(texts)

service.app.make_encoder = lambda settings: Slow()
main()
"""


def test_a_watched_folder_is_refreshed_when_it_changes(docs: Path) -> None:
    """The index lies in the watched folder, and its own changes wake nobody."""
    home = docs / "home"
    command = [sys.executable, "-c", COMMAND, "--home", str(home), "refresh", str(docs), "--watch"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout
        assert process.stdout.readline() == "2 added, 0 changed, 0 removed, 0 same, 0 failed\n"
        (docs / "c.md").write_text("# Gamma\n\nThe gnu runs.\n")
        assert process.stdout.readline() == "1 added, 0 changed, 0 removed, 2 same, 0 failed\n"
        (docs / "a.md").unlink()
        assert process.stdout.readline() == "0 added, 0 changed, 1 removed, 2 same, 0 failed\n"
        time.sleep(1.5)
        process.send_signal(signal.SIGINT)
        rest, err = process.communicate(timeout=100)
    assert (process.returncode, rest) == (130, ""), "nothing changed, so nothing was refreshed"
    assert "Traceback" not in err


def test_a_change_that_fell_into_another_refresh_is_read_after_it(docs: Path, tmp_path: Path) -> None:
    quickly = COMMAND.replace("main()\n", "import service.watching\nservice.watching.BUSY_SECONDS = 0.1\nmain()\n")
    command = [sys.executable, "-c", quickly, "--home", str(tmp_path / "home"), "refresh", str(docs), "--watch"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout
        assert process.stderr
        patience = threading.Timer(90, process.kill)
        patience.start()
        assert process.stdout.readline() == "2 added, 0 changed, 0 removed, 0 same, 0 failed\n"
        other = Index.create(tmp_path / "home" / "index", HashingEncoder())
        with other.refreshing():
            (docs / "c.md").write_text("# Gamma\n\nThe gnu runs.\n")
            said = process.stderr.readline()
            time.sleep(1.5)
        assert process.stdout.readline() == "1 added, 0 changed, 0 removed, 2 same, 0 failed\n"
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=100)
        patience.cancel()
    assert "is refreshing" in said
    assert "is refreshing" not in err, "that it waits is said once"


def committed(folder: Path) -> bool:
    """Whether an index holds documents yet."""
    try:
        index = Index.open(folder)
    except PasserineError:
        return False
    found = index.counts().documents
    index.close()
    return found > 0


def test_a_refresh_that_was_killed_goes_on_and_is_told_to_have_died(tmp_path: Path, docs: Path) -> None:
    for number in range(300):
        (docs / f"{number}.md").write_text(f"# Page {number}\n\nThe zebra number{number} grazes.\n")
    home = tmp_path / "home"
    run("--home", home, "source", "add", docs)
    command = [sys.executable, "-c", COMMAND, "--home", str(home), "refresh"]
    with subprocess.Popen(command, cwd=ROOT, stderr=subprocess.DEVNULL, env=os.environ) as process:
        wait_until(lambda: committed(home / "index"))
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert "died" in run("--home", home, "source", "list")[1]
    status, out, _ = run("--home", home, "refresh")
    assert status == 0
    added, same = int(out.split()[0]), int(out.split()[6])
    assert added + same == 302
    assert 0 < same < 302


def test_one_document_is_read_anew_from_its_source(served: Served, docs: Path) -> None:
    served.client.post("/v1/sources", json={"location": str(docs)})
    refreshed(served.client, "docs")
    listed = served.client.get("/v1/documents").json()["documents"]
    ids = {document["metadata"]["path"]: document["id"] for document in listed}
    (docs / "a.md").write_text("# Alpha\n\nThe quagga grazes.\n")
    (docs / "b.md").write_text("# Beta\n\nThe yeti climbs.\n")
    reply = served.client.post(f"/v1/documents/{ids['a.md']}/refresh")
    assert reply.json() == {"added": 0, "changed": 1, "removed": 0, "same": 0}
    texts = {name: served.client.get(f"/v1/documents/{key}").json()["text"] for name, key in ids.items()}
    assert "quagga" in texts["a.md"]
    assert "yak" in texts["b.md"], "the other one waits for a refresh of its source"
    assert served.client.post(f"/v1/documents/{ids['a.md']}/refresh").json()["same"] == 1
    (docs / "a.md").unlink()
    gone = served.client.post(f"/v1/documents/{ids['a.md']}/refresh")
    assert (gone.status_code, error_of(gone)["code"]) == (422, "extract_failed")
    assert served.client.get(f"/v1/documents/{ids['a.md']}").status_code == 200
    served.client.post("/v1/documents", json={"id": "sent", "title": "Sent", "text": "By hand."})
    assert "no source" in error_of(served.client.post("/v1/documents/sent/refresh"))["message"]
    assert error_of(served.client.post("/v1/documents/none/refresh"))["code"] == "not_found"
