"""What is suggested can be answered, from the document that it was made of, and was not asked before."""

import pytest

from models.words import language_of
from service.suggestions import alike
from tests.serving import Served

FIRST = ("Who commanded Apollo 11?", "How tall was the Saturn V?", "神舟五号是哪一年发射的？")


@pytest.mark.parametrize("question", FIRST)
def test_suggestions_are_answered_from_the_documents_that_they_are_made_of(served: Served, question: str) -> None:
    answer = served.client.post("/v1/chat", json={"message": question}).json()
    path = f"/v1/conversations/{answer['conversation_id']}/suggestions"
    found = served.client.get(path).json()["suggestions"]
    assert 1 <= len(found) <= 3
    texts = [each["text"] for each in found]
    assert len({*texts, question}) == len(found) + 1
    assert {language_of(text) for text in texts} == {language_of(question)}
    for each in found:
        turns = [("user", question), ("assistant", answer["text"]), ("user", each["text"])]
        messages = [{"role": role, "content": content} for role, content in turns]
        said = served.client.post("/v1/chat/completions", json={"model": "passerine", "messages": messages}).json()
        assert said["verdict"] == "answered", each
        assert each["document_id"] in [citation["document_id"] for citation in said["citations"]], each
    served.client.post("/v1/chat", json={"message": texts[0], "conversation_id": answer["conversation_id"]})
    after = [each["text"] for each in served.client.get(path).json()["suggestions"]]
    assert not {texts[0], question} & set(after)


def test_without_an_answer_nothing_is_suggested(served: Served) -> None:
    hello = served.client.post("/v1/chat", json={"message": "Hello!"}).json()
    path = "/v1/conversations/{}/suggestions"
    assert served.client.get(path.format(hello["conversation_id"])).json() == {"suggestions": []}
    unanswered, _ = served.application.conversations.begin("A question that is still worked on")
    assert served.client.get(path.format(unanswered)).json() == {"suggestions": []}
    served.client.delete(f"/v1/conversations/{unanswered}")
    assert served.client.get(path.format("none")).json()["error"]["code"] == "not_found"


def test_suggestions_are_in_the_script_of_their_document(served: Served) -> None:
    text = "盧溝驛是一座古老的車站。盧溝驛位於河北省西部。盧溝驛建成於1908年。盧溝驛佔地72平方公里。"
    served.client.post("/v1/documents", json={"id": "station", "title": "盧溝驛", "text": text})
    try:
        answer = served.client.post("/v1/chat", json={"message": "卢沟驿占地多少平方公里？"}).json()
        path = f"/v1/conversations/{answer['conversation_id']}/suggestions"
        found = served.client.get(path).json()["suggestions"]
    finally:
        served.client.delete("/v1/documents/station")
    texts = {each["text"] for each in found if each["document_id"] == "station"}
    assert texts
    assert texts <= {"盧溝驛是什麼？", "盧溝驛位於哪裡？", "盧溝驛建成於哪一年？"}


def test_a_question_asked_in_the_other_script_is_the_same_question() -> None:
    assert alike("盧溝驛位於哪裡？", "卢沟驿位于哪里？")


def test_a_document_that_was_deleted_is_not_suggested(served: Served) -> None:
    text = "Zeppelin Gnu was the last airship of the company Zorn. It was launched on 3 May 1931 in Leeds."
    served.client.post("/v1/documents", json={"id": "gnu", "title": "Zeppelin Gnu", "text": text})
    answer = served.client.post("/v1/chat", json={"message": "Which company built the last airship Gnu?"}).json()
    path = f"/v1/conversations/{answer['conversation_id']}/suggestions"
    try:
        before = [each["document_id"] for each in served.client.get(path).json()["suggestions"]]
    finally:
        served.client.delete("/v1/documents/gnu")
    assert "gnu" in before
    assert "gnu" not in [each["document_id"] for each in served.client.get(path).json()["suggestions"]]
