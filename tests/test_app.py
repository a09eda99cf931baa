"""Construction, the start, and serving one's own documents."""

import shutil
from pathlib import Path

import pytest

from indexing.types import BadInput, Document, Encoder, EncoderMismatch, IndexMissing, ModelMissing, StorageFailed
from models.generative import GenerativePolicy
from models.remote_generator import RemoteGenerator
from rewards.select import Thresholds
from service.app import BASE, EXAMPLES, build, make_device, make_index, make_library, make_remote
from service.config import Settings, load
from service.errors import NotReady
from service.library import Library, open_collection, where
from service.pipeline import Parts
from service.startup import Lazy, Startup
from tests.hashing import HashingEncoder
from tests.scripted import FixedJudge, FixedRules
from tests.serving import GRAZES, WAIT, Served, listening, quick, wait_until


def test_building_loads_no_model_and_makes_the_folder(tmp_path: Path) -> None:
    application = build(load({"home": tmp_path / "new"}, {}))
    assert (tmp_path / "new" / "passerine.db").is_file()
    assert {stage.state for stage in application.startup.stages()} == {"waiting"}
    with pytest.raises(NotReady, match="encoder"):
        application.encoder.get()
    application.close()


def test_a_home_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageFailed, match="file"):
        build(load({"home": tmp_path / "file" / "home"}, {}))


def test_a_failure_of_the_start_is_told_to_everybody_who_asks(tmp_path: Path) -> None:
    application = build(load({"home": tmp_path}, {}))
    told: list[BaseException] = []
    application.startup.start(told.append)
    assert application.startup.wait(20)
    assert isinstance(told[0], ModelMissing)
    for part in (application.encoder, application.library, application.parts):
        with pytest.raises(ModelMissing):
            part.get()
    assert not application.startup.ready
    application.close()


def test_a_failed_stage_is_made_when_it_is_asked_for_again() -> None:
    answers = iter([ModelMissing("Missing.", "Install it."), "made"])

    def make() -> object:
        answer = next(answers)
        if isinstance(answer, Exception):
            raise answer
        return answer

    stage = Lazy("thing", make)
    with pytest.raises(ModelMissing):
        stage.now()
    assert stage.stage.state == "failed"
    assert stage.now() == "made"
    assert stage.get() == "made"
    assert stage.stage.state == "ready"


def test_stages_are_loaded_once_and_in_order() -> None:
    made: list[str] = []
    first = Lazy("first", lambda: made.append("first"))
    second = Lazy("second", lambda: (first.now(), made.append("second"))[1])
    startup = Startup([first, second])
    startup.start(lambda error: made.append(str(error))).join(5)
    assert made == ["first", "second"]
    assert startup.ready


def test_an_index_of_another_encoder_is_refused_with_what_to_do(examples_home: Path, tmp_path: Path) -> None:
    shutil.copytree(examples_home / "index", tmp_path / "index")
    (tmp_path / "models").symlink_to(examples_home / "models")
    application = build(load({"home": tmp_path, "encoder": "all-minilm-l6-v2"}, {}))
    with pytest.raises(EncoderMismatch, match=BASE) as caught:
        application.library.now()
    assert "--rebuild" in caught.value.hint
    application.close()


def test_an_empty_index_says_how_to_fill_it(examples_home: Path, tmp_path: Path) -> None:
    (tmp_path / "models").symlink_to(examples_home / "models")
    application = build(load({"home": tmp_path}, {}))
    with pytest.raises(IndexMissing) as caught:
        application.library.now().filled()
    assert "passerine refresh" in caught.value.hint
    application.close()


def test_own_documents_are_read_beside_the_service_and_the_examples_leave(examples_home: Path, tmp_path: Path) -> None:
    home, docs = tmp_path / "home", tmp_path / "docs"
    docs.mkdir()
    (docs / "pond.md").write_text("# Pond\n\nThe heron waits by the pond for hours.\n")
    (docs / "empty.md").write_text("")
    shutil.copytree(examples_home / "index", home / "index")
    (home / "models").symlink_to(examples_home / "models")
    application = build(load({"home": home}, {}))
    library = application.library.now()
    assert [source.source for source in library.index.sources()] == [str(EXAMPLES)]
    application.worker.submit(str(docs))
    wait_until(lambda: [source.source for source in library.index.sources()] == [str(docs)])
    job = application.refreshes.jobs.current()
    assert job
    assert (job.state, job.error, job.added, job.failed) == ("done", "", 1, 1)
    application.close()


def test_the_start_ends_with_a_question_that_warms_everything_up(served: Served) -> None:
    startup = served.application.startup
    assert startup.ready, startup.stages()
    last = startup.stages()[-1]
    assert last.name == "warm-up"
    assert last.seconds > 0


def test_a_model_server_that_is_down_at_the_start_does_not_keep_the_service_from_being_ready(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def parts(settings: Settings, encoder: Encoder, library: Library, rules: object) -> Parts:
        del encoder, rules
        policy, judge = GenerativePolicy(make_remote(settings)), FixedJudge(0.9)
        return Parts(policy, library.searcher, judge, FixedRules(), judge, Thresholds(abstain=0.2))

    monkeypatch.setattr("service.app.make_encoder", lambda _: HashingEncoder())
    monkeypatch.setattr("service.app.make_parts", parts)
    monkeypatch.setattr(RemoteGenerator, "TRIES", 1)
    nobody = "http://127.0.0.1:9/v1"
    application = build(load({"home": tmp_path, "policy": "generative", "generator_url": nobody}, {}))
    application.library.now().add([Document("zebra", "file:///zebra.md", "Zebra", GRAZES)])
    told: list[BaseException] = []
    with listening(application) as client:
        application.startup.start(told.append)
        assert application.startup.wait(WAIT)
        assert client.get("/readyz").json() == {"status": "ready"}
        asked = client.post("/v1/chat", json={"message": "Where does the zebra graze?"})
        assert (asked.status_code, asked.json()["error"]["code"]) == (502, "generator_failed")
    assert told == []


def test_a_table_takes_the_place_of_the_index(tmp_path: Path) -> None:
    pytest.importorskip("lance", reason="the extra `cluster` is not installed")
    with quick(tmp_path / "home", table=str(tmp_path / "table"), shards=2) as served:
        asked = {"q": "zebra lion"}
        lion = {"id": "lion", "title": "Lion", "text": "The lion sleeps."}
        assert served.client.post("/v1/documents", json=lion).is_success
        found = served.client.get("/v1/search", params=asked).json()["hits"]
        assert {hit["document"]["title"] for hit in found} == {"Zebra", "Lion"}
        found = served.client.get("/v1/search", params={"q": "lino sleeps"}).json()
        assert (found["facets"]["source"], found["did_you_mean"]) == ({"api": 2}, "lion sleeps")
        like = served.client.get("/v1/similar", params={"passage": found["hits"][0]["passage"]["id"]}).json()["hits"]
        assert [hit["document"]["title"] for hit in like] == ["Zebra"]
        assert served.client.delete("/v1/documents/lion").is_success
        found = served.client.get("/v1/search", params=asked).json()["hits"]
        assert [hit["document"]["title"] for hit in found] == ["Zebra"]
        assert served.client.get("/v1/documents").json()["total"] == 1
        assert served.client.get("/v1/sources").status_code == 200
        settings = served.application.settings
    assert open_collection(where(settings)).counts().documents == 1
    assert not settings.index_folder.exists()


def test_a_cluster_without_a_table_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="needs a table"):
        make_index(load({"home": tmp_path, "cluster": "local"}, {}), HashingEncoder())


def test_a_device_searches_in_place_of_the_processors_engines(tmp_path: Path) -> None:
    library = make_library(load({"home": tmp_path, "search_device": "cpu"}, {}), HashingEncoder())
    assert "words" in library.searcher.describe()
    with pytest.raises(BadInput, match="no device 'gpu'"):
        make_library(load({"home": tmp_path, "search_device": "gpu"}, {}), HashingEncoder())
    with pytest.raises(BadInput, match="searched by its shards"):
        make_device(load({"home": tmp_path, "search_device": "cpu", "table": str(tmp_path / "table")}, {}))
