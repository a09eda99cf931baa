"""The whole answer flow with the chat model alone: it decides, writes the query, reads and answers."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from service.app import ADAPTERS, CHAT_BASE, HEADS, adapter_of
from service.config import load
from tests.serving import Served, running, stream


@pytest.fixture(scope="module", params=ADAPTERS)
def chatting(
    request: pytest.FixtureRequest, examples_home: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Served]:
    """A server whose every word is the model's, by each adapter that comes with the install."""
    home = tmp_path_factory.mktemp("chatting")
    shutil.copytree(examples_home / "index", home / "index")
    (home / "models").symlink_to(examples_home / "models", target_is_directory=True)
    with running(home, policy="generative", adapter=request.param) as served:
        yield served


@pytest.mark.parametrize("question", ["How tall was the Saturn V?", "When was the Sparrow paper published?"])
def test_it_searches_reads_and_quotes(chatting: Served, question: str) -> None:
    answer = chatting.client.post("/v1/chat", json={"message": question}).json()
    assert answer["plan"]["queries"], answer["plan"]
    drafted = [one for one in answer["candidates"] if one["kind"] == "statement"]
    assert drafted
    for one in drafted:
        assert one["origin"] == "generative"
        assert any(one["short"] in hit["passage"]["text"] for hit in one["evidence"])
    assert answer["verdict"] in ("answered", "abstained")
    for citation in answer["citations"]:
        whole = chatting.client.get(f"/v1/documents/{citation['document_id']}").json()["text"]
        assert whole[citation["start"] : citation["end"]] == citation["quote"]


def test_a_sum_is_computed_and_a_greeting_returned(chatting: Served) -> None:
    computed = stream(chatting.client, {"message": "What is 12 times 7?"})[-1].data
    assert "84" in computed["text"]
    greeted = chatting.client.post("/v1/chat", json={"message": "Hello there!"}).json()
    assert greeted["verdict"] == "answered"
    assert not greeted["citations"]


def test_the_bundled_adapter_is_used_unless_the_settings_name_another(tmp_path: Path) -> None:
    def chosen(**options: str) -> Path | None:
        return adapter_of(load({"home": tmp_path, **options}, {}))

    assert chosen() == HEADS / "sft"
    assert load().generator == CHAT_BASE
    assert chosen(adapter="none") is None
    assert [chosen(adapter=name) for name in ADAPTERS] == [HEADS / name for name in ADAPTERS]
    assert all((HEADS / name / "adapter_model.safetensors").is_file() for name in ADAPTERS)
    assert chosen(adapter=str(tmp_path / "mine")) == tmp_path / "mine"
    assert chosen(generator="another/model") is None, "an adapter fits one base"
    assert chosen(generator_url="http://127.0.0.1:1/v1") is None
    assert chosen(trial=f"chat={tmp_path / 'tried'}", adapter=str(tmp_path / "mine")) == tmp_path / "tried"
