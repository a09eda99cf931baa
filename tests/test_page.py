"""The page in a real browser: what a person sees and does."""

import shutil
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.serving import Served

AMERICAN = "Who was the first American in space?"
PATIENCE_MS = 20_000


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    path = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if path is None:
        pytest.fail("Chromium is missing. Run 'make test', which installs it.", pytrace=False)
    quiet = ["--disable-background-networking", "--disable-component-update", "--disable-sync", "--no-first-run"]
    with sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-gpu", *quiet])
        yield found
        found.close()


@pytest.fixture
def page(browser: Browser, served: Served) -> Iterator[Page]:
    context = browser.new_context(locale="en-GB", viewport={"width": 1200, "height": 850})
    tab = context.new_page()
    tab.set_default_timeout(PATIENCE_MS)
    problems: list[str] = []
    tab.on("pageerror", lambda error: problems.append(str(error)))
    tab.on("console", lambda message: problems.append(message.text) if message.type == "error" else None)
    tab.goto(served.url)
    yield tab
    context.close()
    assert not problems, problems


def ask(page: Page, question: str) -> None:
    page.locator("#question").fill(question)
    page.locator("#question").press("Enter")
    expect(page.locator("#send")).to_be_visible(timeout=PATIENCE_MS)


def test_an_answer_shows_its_quote_highlighted_in_the_passage(page: Page) -> None:
    ask(page, AMERICAN)
    answer = page.locator(".answer").last
    marker = answer.locator(".cite").first
    expect(marker).to_have_text("1")
    marker.click()
    quoted = page.locator("#source mark")
    expect(quoted).to_be_visible()
    words = answer.locator(".sources .words").first.inner_text().strip("“”")
    assert quoted.inner_text() == words
    page.keyboard.press("Escape")
    expect(page.locator("#source")).to_be_hidden()
    expect(marker).to_be_focused()


def test_enter_inside_an_input_method_does_not_send(page: Page) -> None:
    box = page.locator("#question")
    box.fill("中国第一位")
    for detail in ("{isComposing: true, keyCode: 13}", "{isComposing: false, keyCode: 229}"):
        box.evaluate(
            f"(node) => node.dispatchEvent(new KeyboardEvent('keydown', "
            f"{{key: 'Enter', bubbles: true, cancelable: true, ...{detail}}}))"
        )
    expect(page.locator(".asked")).to_have_count(0)
    expect(box).to_have_value("中国第一位")
    box.press("Shift+Enter")
    expect(page.locator(".asked")).to_have_count(0)


def test_enter_on_nothing_sends_nothing(page: Page) -> None:
    page.locator("#question").fill("   ")
    page.locator("#question").press("Enter")
    expect(page.locator(".asked")).to_have_count(0)


def test_a_reload_shows_the_same_answer_and_a_follow_up_knows_it(page: Page) -> None:
    ask(page, AMERICAN)
    before = page.locator(".answer .text").inner_text()
    sources = page.locator(".sources .title").all_inner_texts()
    page.reload()
    expect(page.locator(".answer .text")).to_have_text(before)
    assert page.locator(".sources .title").all_inner_texts() == sources
    ask(page, "When did he fly?")
    page.locator("details.why").last.locator("summary").click()
    expect(page.locator("details.why").last).to_contain_text("Shepard")


def test_the_candidates_and_their_scores_are_shown_on_demand(page: Page) -> None:
    ask(page, AMERICAN)
    why = page.locator("details.why")
    expect(why.locator(".candidates li").first).to_be_hidden()
    why.locator("summary").click()
    expect(why.locator(".candidates li.won")).to_have_count(1)
    assert why.locator(".candidates li").count() >= 3
    expect(why.locator(".candidates li.won meter").first).to_be_visible()


def test_a_question_that_nothing_answers_shows_what_came_near(page: Page) -> None:
    ask(page, "What is the postal code of the town hall of Reykjavik?")
    expect(page.locator(".verdict.abstained")).to_be_visible()
    assert page.locator(".sources li").count() >= 1
    expect(page.locator(".cite")).to_have_count(0)


def test_the_page_speaks_chinese(page: Page) -> None:
    page.locator("#language").click()
    expect(page.locator("#send")).to_have_text("提问")
    page.locator("#suggestions button").first.click()
    expect(page.locator(".answer .text")).to_contain_text("2003", timeout=PATIENCE_MS)
    expect(page.locator("details.why summary")).to_contain_text("为什么这样回答")


def test_a_bad_answer_can_be_reported_with_its_reason(page: Page, served: Served) -> None:
    ask(page, AMERICAN)
    kept = served.client.get("/v1/status").json()["feedback"]
    page.get_by_label("Bad answer").click()
    page.locator(".feedback select").select_option("wrong")
    expect(page.locator(".feedback [role=status]")).to_have_text("Thank you, noted.")
    assert served.client.get("/v1/status").json()["feedback"] == kept + 1


def test_a_conversation_can_be_deleted(page: Page) -> None:
    ask(page, AMERICAN)
    row = page.locator("#history li.current")
    expect(row).to_have_count(1)
    page.on("dialog", lambda dialog: dialog.accept())
    row.hover()
    row.get_by_label("Delete").click()
    expect(page.locator("#history li.current")).to_have_count(0)
    expect(page.locator("#welcome")).to_be_visible()


def test_words_of_a_document_are_never_run_as_markup(page: Page, served: Served) -> None:
    text = "The zorbital frobnicator was built by <img src=x onerror=alert(1)> Quentin Marlowe in 1931 in Leeds."
    served.client.post("/v1/documents", json={"id": "markup", "title": "<b>Frobnicator</b>", "text": text})
    try:
        ask(page, "Who built the zorbital frobnicator?")
        expect(page.locator(".answer").last).to_contain_text("onerror")
        expect(page.locator("main img")).to_have_count(0)
    finally:
        served.client.delete("/v1/documents/markup")


def test_the_page_fits_a_telephone(page: Page) -> None:
    page.set_viewport_size({"width": 380, "height": 700})
    ask(page, AMERICAN)
    assert page.evaluate("document.documentElement.scrollWidth") <= 380
    page.locator("#menu").click()
    expect(page.locator("#new")).to_be_visible()
