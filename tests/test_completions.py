"""OpenAI's official client against a real server."""

import httpx
import openai
import pytest

from tests.serving import Served

QUESTION = "When was Skylab launched?"


@pytest.fixture
def client(served: Served) -> openai.OpenAI:
    return openai.OpenAI(base_url=f"{served.url}/v1", api_key="none", max_retries=0)


def test_it_answers_with_citations_in_their_own_field(client: openai.OpenAI, served: Served) -> None:
    reply = client.chat.completions.create(
        model="passerine",
        messages=[{"role": "system", "content": "Be brief."}, {"role": "user", "content": QUESTION}],
        temperature=0.2,
        max_tokens=100,
    )
    said = reply.choices[0].message
    assert said.role == "assistant"
    assert "1973" in str(said.content)
    assert reply.choices[0].finish_reason == "stop"
    assert reply.usage is not None
    assert reply.usage.total_tokens == reply.usage.prompt_tokens + reply.usage.completion_tokens > 0
    assert reply.model_extra is not None
    assert reply.model_extra["verdict"] == "answered"
    for citation in reply.model_extra["citations"]:
        document = served.client.get(f"/v1/documents/{citation['document_id']}").json()
        assert document["text"][citation["start"] : citation["end"]] == citation["quote"]


def test_the_streamed_text_is_the_same(client: openai.OpenAI) -> None:
    whole = client.chat.completions.create(model="passerine", messages=[{"role": "user", "content": QUESTION}])
    text, finished, usage, citations = "", None, None, None
    for chunk in client.chat.completions.create(
        model="passerine",
        messages=[{"role": "user", "content": QUESTION}],
        stream=True,
        stream_options={"include_usage": True},
    ):
        usage = chunk.usage or usage
        for choice in chunk.choices:
            text += choice.delta.content or ""
            finished = choice.finish_reason or finished
        citations = (chunk.model_extra or {}).get("citations", citations)
    assert text == whole.choices[0].message.content
    assert finished == "stop"
    assert usage == whole.usage
    assert citations


def test_a_follow_up_is_understood_from_the_messages_alone(client: openai.OpenAI, served: Served) -> None:
    before = served.client.get("/v1/conversations").json()
    reply = client.chat.completions.create(
        model="passerine-careful",
        messages=[
            {"role": "user", "content": "Who was the first person in space?"},
            {"role": "assistant", "content": "Yuri Gagarin, in 1961."},
            {"role": "user", "content": [{"type": "text", "text": "How long did his flight last?"}]},
        ],
    )
    assert "108 minutes" in str(reply.choices[0].message.content)
    assert served.client.get("/v1/conversations").json() == before, "nothing is kept"


def test_models_are_listed_and_choose_the_mode(client: openai.OpenAI) -> None:
    names = [model.id for model in client.models.list()]
    assert names == ["passerine", "passerine-careful", "passerine-fast"]
    assert client.models.retrieve("passerine-fast").id == "passerine-fast"
    fast = client.chat.completions.create(model="passerine-fast", messages=[{"role": "user", "content": QUESTION}])
    assert fast.choices[0].message.content
    with pytest.raises(openai.NotFoundError, match="no model 'gpt-4'"):
        client.chat.completions.create(model="gpt-4", messages=[{"role": "user", "content": QUESTION}])


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"model": "passerine", "messages": []}, 422),
        ({"model": "passerine", "messages": [{"role": "assistant", "content": "Hello."}]}, 422),
        ({"model": "passerine", "messages": [{"role": "user", "content": "  "}]}, 422),
        ({"model": "passerine", "messages": [{"role": "user", "content": [{"type": "image_url"}]}]}, 422),
        ({"model": "passerine", "messages": [{"role": "user", "content": "x" * 3000}]}, 413),
        ({"model": "passerine", "messages": [{"role": "user", "content": "Hi"}], "n": 3}, 422),
        ({"messages": [{"role": "user", "content": "Hi"}]}, 422),
    ],
)
def test_bad_input_gets_the_error_shape(served: Served, body: dict[str, object], status: int) -> None:
    reply: httpx.Response = served.client.post("/v1/chat/completions", json=body)
    assert reply.status_code == status, reply.text
    assert set(reply.json()["error"]) == {"code", "message", "hint", "request_id"}
