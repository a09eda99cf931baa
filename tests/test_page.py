"""The page in a real browser: what a person sees and does."""

import re
import socket
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, Route, expect
from sqlalchemy import update

from indexing.refresh import RefreshReport
from indexing.types import BadInput, PasserineError
from models.generative import GenerativePolicy
from models.mixed import MixedPolicy
from models.remote_generator import RemoteGenerator
from models.types import Candidate, Conversation, Plan, Policy
from service.database import JOBS
from service.errors import ServerFailed
from service.pipeline import Parts
from tests.hashing import HashingEncoder
from tests.serving import GRAZES, PATIENCE_MS, Served, ask_page, chromium, quick, running
from tests.test_sharing import told

AMERICAN = "Who was the first American in space?"
WEB = Path(__file__).parent.parent / "service" / "web"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    try:
        with chromium() as found:
            expect.set_options(timeout=PATIENCE_MS)
            yield found
    except FileNotFoundError as error:
        pytest.fail(str(error), pytrace=False)


@contextmanager
def opened(browser: Browser, served: Served, path: str = "/", calm: bool = True, **options: Any) -> Iterator[Page]:
    """A tab of its own. At its end: nothing was asked of another host, and (`calm`) nothing went wrong in it."""
    context = browser.new_context(**{"locale": "en-GB", "viewport": {"width": 1200, "height": 850}, **options})
    tab = context.new_page()
    tab.set_default_timeout(PATIENCE_MS)
    problems: list[str] = []
    foreign: list[str] = []
    tab.on("pageerror", lambda error: problems.append(str(error)))
    tab.on("console", lambda message: problems.append(message.text) if message.type == "error" else None)
    tab.on("request", lambda request: None if request.url.startswith(served.url) else foreign.append(request.url))
    tab.goto(served.url + path)
    try:
        yield tab
    finally:
        context.close()
    assert not foreign, foreign
    assert not (calm and problems), problems


@pytest.fixture
def page(browser: Browser, served: Served) -> Iterator[Page]:
    with opened(browser, served) as tab:
        yield tab


@dataclass
class Slow:
    """A policy that thinks until it is told to go on, or is cancelled."""

    policy: Policy
    name: str = "slow"
    held: bool = True
    cancelled: bool = False

    def plan(self, conversation: Conversation) -> Plan:
        return self.policy.plan(conversation)

    def propose(self, *arguments: Any, **more: Any) -> list[Candidate]:
        while self.held and not self.cancelled:
            self.cancelled = more["cancelled"]()
            time.sleep(0.01)
        return self.policy.propose(*arguments, **more)


@contextmanager
def thinking(served: Served, change: Callable[[Parts, Slow], Parts]) -> Iterator[Slow]:
    """The same service with other parts, among them a slow policy that is let go at the end."""
    made = served.application.parts._value
    usual = made[0]
    policy = Slow(usual.policy)
    made[0] = change(usual, policy)
    yield policy
    policy.held = False
    made[0] = usual


@pytest.fixture
def slow(served: Served) -> Iterator[Slow]:
    """The same service, thinking for as long as a test wants."""
    with thinking(served, lambda usual, policy: replace(usual, policy=policy)) as policy:
        yield policy


# Citations


def test_an_answer_shows_its_quote_highlighted_in_the_document(page: Page) -> None:
    ask_page(page, AMERICAN)
    answer = page.locator(".answer").last
    marker = answer.locator(".cite").first
    expect(marker).to_have_text("1")
    marker.click()
    quoted = page.locator("#source mark")
    expect(quoted).to_be_visible()
    words = answer.locator(".sources .words").first.inner_text().strip("“”")
    assert quoted.inner_text() == words
    page.get_by_role("button", name="Whole document").click()
    expect(page.get_by_role("button", name="Whole document")).to_be_hidden()
    assert quoted.inner_text() == words
    page.keyboard.press("Escape")
    expect(page.locator("#source")).to_be_hidden()
    expect(marker).to_be_focused()


def test_the_card_of_a_citation_stays_closed_when_its_document_is_closed_by_the_keyboard(page: Page) -> None:
    ask_page(page, AMERICAN)
    marker = page.locator(".cite").first
    page.locator("#question").focus()
    page.keyboard.press("Shift+Tab")
    marker.focus()
    expect(page.locator("#card")).to_be_visible()
    page.keyboard.press("Enter")
    expect(page.locator("#source mark")).to_be_visible()
    page.keyboard.press("Escape")
    expect(marker).to_be_focused()
    expect(page.locator("#card")).to_be_hidden()


def test_a_citation_shows_its_quote_in_context_while_the_pointer_is_on_it(page: Page) -> None:
    ask_page(page, AMERICAN)
    words = page.locator(".sources .words").first.inner_text().strip("“”")
    page.locator(".cite").first.hover()
    card = page.locator("#card")
    expect(card.locator("mark")).to_have_text(words)
    expect(card).to_contain_text("Project Mercury")
    expect(card).to_contain_text("2026-11-01")
    expect(card.locator(".context")).to_contain_text("John Glenn")
    page.keyboard.press("Escape")
    expect(card).to_be_hidden()


def test_a_tap_on_a_citation_shows_the_card_and_the_card_leads_to_the_document(
    browser: Browser, served: Served
) -> None:
    phone = {"viewport": {"width": 360, "height": 740}, "has_touch": True, "is_mobile": True}
    with opened(browser, served, **phone) as page:
        ask_page(page, AMERICAN)
        page.locator(".cite").first.tap()
        expect(page.locator("#card")).to_be_visible()
        expect(page.locator("#source")).to_be_hidden()
        page.locator("#card").get_by_role("button").tap()
        expect(page.locator("#source mark")).to_be_visible()
        expect(page.locator("#card")).to_be_hidden()


def rewrite(served: Served, text: str) -> None:
    """Replaces the one document of a `quick` service."""
    zebra = {"id": "zebra", "url": "file:///zebra.md", "title": "Zebra", "text": text}
    served.client.post("/v1/documents", json=zebra).raise_for_status()


def test_a_quote_is_marked_where_it_stands_after_its_document_has_changed(browser: Browser, tmp_path: Path) -> None:
    with quick(tmp_path) as served, opened(browser, served) as page:
        ask_page(page, "What does the zebra do?")
        rewrite(served, f"The lion was never seen to sleep in this valley. 🦁 {GRAZES} The yak climbs.")
        page.reload()
        page.locator("details.why > summary").click()
        page.locator("li.won").get_by_role("button", name="Zebra").click()  # a passage, not a quote
        expect(page.locator("#source mark")).to_have_text(GRAZES)
        page.get_by_role("button", name="Close").click()
        page.locator(".cite").hover()
        expect(page.locator("#card .context")).to_contain_text("The yak climbs.")
        expect(page.locator("#card mark")).to_have_text(GRAZES)
        page.locator(".cite").click()
        expect(page.locator("#source mark")).to_have_text(GRAZES)
        page.get_by_role("button", name="Whole document").click()
        expect(page.get_by_role("button", name="Whole document")).to_be_hidden()
        expect(page.locator("#source mark")).to_have_text(GRAZES)


def test_a_quote_is_found_in_its_document_when_its_passage_is_gone(browser: Browser, tmp_path: Path) -> None:
    with quick(tmp_path) as served, opened(browser, served, calm=False) as page:
        rewrite(served, "\n\n".join(["The yak climbs the mountain at dawn. " * 40] * 4 + [GRAZES]))
        ask_page(page, "What does the zebra do?")
        rewrite(served, f"The lion sleeps. {GRAZES}")
        page.locator(".cite").click()
        expect(page.locator("#source .document")).to_contain_text("The lion sleeps.")
        expect(page.locator("#source mark")).to_have_text(GRAZES)
        served.client.delete("/v1/documents/zebra").raise_for_status()
        page.locator(".sources .words").first.click()
        expect(page.locator("#source .error")).to_contain_text("zebra")


@pytest.mark.parametrize(
    ("locale", "said"), [("en-GB", "The document has changed since"), ("zh-CN", "文档在那之后有改动")]
)
def test_a_quote_that_its_document_dropped_is_shown_beside_it_and_nothing_is_marked(
    browser: Browser, tmp_path: Path, locale: str, said: str
) -> None:
    with quick(tmp_path) as served, opened(browser, served, locale=locale) as page:
        ask_page(page, "What does the zebra do?")
        rewrite(served, "The lion was never seen to sleep in this valley.")
        with page.expect_response(re.compile("passage=")):
            page.locator(".cite").hover()
        expect(page.locator("#card mark")).to_have_text(GRAZES)
        page.locator(".cite").click()
        expect(page.locator("#source .notice")).to_contain_text(said)
        expect(page.locator("#source .notice")).to_contain_text(GRAZES)
        expect(page.locator("#source .document")).to_contain_text("The lion was never seen")
        expect(page.locator("#source mark")).to_have_count(0)
        expect(page.locator("#card mark")).to_have_count(1)


def test_what_was_only_read_stands_apart_from_the_sources_used(page: Page) -> None:
    ask_page(page, AMERICAN)
    used = page.locator(".sources > ul .title").all_inner_texts()
    page.locator(".sources summary").click()
    read = page.locator(".sources details .title").all_inner_texts()
    assert used
    assert read
    assert all(title[0] == "1" for title in used[:1])
    assert not any(re.match(r"\d", title) for title in read)


def test_the_plan_and_every_candidate_are_shown_on_demand(page: Page) -> None:
    ask_page(page, AMERICAN)
    why = page.locator("details.why")
    expect(why.locator(".candidates > li").first).to_be_hidden()
    why.locator("> summary").click()
    expect(why.locator(".plan")).to_contain_text(AMERICAN)
    expect(why.locator(".candidates > li.won")).to_have_count(1)
    rows = why.locator(".candidates > li")
    assert rows.count() >= 3
    assert all(reason.strip() for reason in rows.locator(".reason").all_inner_texts())
    expect(why.locator("li.won meter").first).to_be_visible()
    rows.first.locator("summary").click()
    expect(rows.first.locator(".rules li")).to_have_count(23)


def test_a_question_that_nothing_answers_shows_what_came_near(page: Page) -> None:
    ask_page(page, "What is the postal code of the town hall of Reykjavik?")
    expect(page.locator(".verdict.abstained")).to_be_visible()
    expect(page.locator(".sources h3")).to_have_text("Nearest passages")
    assert page.locator(".sources li").count() >= 1
    expect(page.locator(".cite")).to_have_count(0)


# Asking


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
    box.fill("   ")
    box.press("Enter")
    expect(page.locator(".asked")).to_have_count(0)


def test_the_best_draft_so_far_can_be_read_while_a_second_policy_thinks(page: Page, served: Served) -> None:
    def mixed(usual: Parts, second: Slow) -> Parts:
        return replace(usual, policy=MixedPolicy(second.policy, second), enough=1.0)

    with thinking(served, mixed) as second:
        page.locator("#question").fill(AMERICAN)
        page.locator("#question").press("Enter")
        expect(page.locator(".answer .text.draft")).to_contain_text("Alan Shepard")
        expect(page.locator(".answer .cite")).to_have_count(0)
        second.held = False
        expect(page.locator(".answer .cite").first).to_be_visible()
    expect(page.locator(".answer .text.draft")).to_have_count(0)
    expect(page.locator(".answer .text")).to_contain_text("Alan Shepard")


def test_an_answer_made_without_its_second_model_says_so(
    page: Page, served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(RemoteGenerator, "TRIES", 1)  # it waits before the others
    absent = GenerativePolicy(RemoteGenerator("large", "http://127.0.0.1:9/v1", "large", timeout_s=1))
    with thinking(served, lambda usual, slow: replace(usual, policy=MixedPolicy(slow.policy, absent), enough=1.0)):
        ask_page(page, AMERICAN)
    expect(page.locator(".answer .cite").first).to_be_visible()
    expect(page.locator(".answer .notice")).to_contain_text("127.0.0.1:9")
    page.reload()
    expect(page.locator(".answer .notice")).to_contain_text("Made without the second model.")


def test_a_reload_shows_the_same_answer_and_a_follow_up_knows_it(page: Page) -> None:
    ask_page(page, AMERICAN)
    before = page.locator(".answer .text").inner_text()
    sources = page.locator(".sources .title").all_inner_texts()
    page.reload()
    expect(page.locator(".answer .text")).to_have_text(before)
    assert page.locator(".sources .title").all_inner_texts() == sources
    ask_page(page, "When did he fly?")
    page.locator("details.why").last.locator("> summary").click()
    expect(page.locator("details.why").last).to_contain_text("Shepard")


def test_what_is_suggested_can_be_asked_with_a_click(page: Page) -> None:
    ask_page(page, AMERICAN)
    offered = page.get_by_role("navigation", name="Ask next").get_by_role("button")
    expect(offered.first).to_be_visible()
    question = offered.first.inner_text()
    offered.first.click()
    expect(page.locator(".asked").last).to_have_text(question)
    answer = page.locator(".answer").last
    expect(answer.locator(".feedback")).to_be_visible()
    expect(answer.locator(".cite").first).to_be_visible()
    expect(page.locator(".followups")).to_have_count(1)
    expect(offered.filter(has_text=question)).to_have_count(0)
    page.reload()
    expect(page.locator(".turn").last.locator(".followups")).to_be_visible()


def test_stop_frees_the_work_and_the_question_can_be_asked_again(page: Page, slow: Slow) -> None:
    page.locator("#question").fill(AMERICAN)
    page.locator("#question").press("Enter")
    expect(page.locator(".stages")).to_contain_text("Project Mercury")
    page.locator("#stop").click()
    expect(page.locator(".stopped")).to_be_visible()
    expect(page.locator("#send")).to_be_visible()
    deadline = time.monotonic() + 5
    while not slow.cancelled and time.monotonic() < deadline:
        time.sleep(0.02)
    assert slow.cancelled
    page.reload()
    expect(page.locator(".stopped")).to_be_visible()
    slow.held = False
    page.get_by_role("button", name="Ask again").click()
    expect(page.locator(".feedback")).to_be_visible()
    expect(page.locator(".stopped")).to_have_count(0)


def test_an_answer_goes_on_while_another_conversation_is_read(page: Page, slow: Slow) -> None:
    page.locator("#question").fill(AMERICAN)
    page.locator("#question").press("Enter")
    expect(page.locator("#history li.current")).to_have_count(1)
    page.locator("#new").click()
    expect(page.locator("#welcome")).to_be_visible()
    page.locator("#history a").first.click()
    expect(page.locator("#stop")).to_be_visible()
    slow.held = False
    expect(page.locator(".answer .text")).to_contain_text("Shepard")


def test_a_service_that_is_gone_is_named_and_comes_back(browser: Browser, served: Served) -> None:
    with opened(browser, served, calm=False) as page:
        expect(page.locator("#size")).to_contain_text("documents")
        page.context.set_offline(True)
        page.locator("#question").fill(AMERICAN)
        page.locator("#question").press("Enter")
        expect(page.locator("#offline")).to_be_visible()
        expect(page.locator(".error")).to_contain_text("cannot be reached")
        page.context.set_offline(False)
        expect(page.locator("#offline")).to_be_hidden()
        page.get_by_role("button", name="Ask again").click()
        expect(page.locator(".answer .text")).to_contain_text("Shepard")
        expect(page.locator(".asked")).to_have_count(1)


def test_a_fault_of_the_service_says_what_to_do(browser: Browser, served: Served, monkeypatch: Any) -> None:
    def broken(*arguments: object) -> None:  # noqa: ARG001
        raise PasserineError("The disk is full.", "Free some space.")

    monkeypatch.setattr(served.application.conversations, "finish", broken)
    with opened(browser, served) as page:
        page.locator("#question").fill("Hello")
        page.locator("#question").press("Enter")
        expect(page.locator(".error")).to_contain_text("The disk is full. Free some space.")


@pytest.mark.parametrize(("locale", "said"), [("en-GB", "The connection broke off."), ("zh-CN", "连接中断。")])
def test_a_stream_that_ends_before_the_answer_is_named_and_can_be_asked_again(
    browser: Browser, tmp_path: Path, locale: str, said: str
) -> None:
    def cut(route: Route) -> None:
        whole = route.fetch()
        route.fulfill(response=whole, body=whole.text().partition("event: done")[0])

    with quick(tmp_path) as served, opened(browser, served, locale=locale) as page:
        page.route("**/v1/chat", cut)
        page.locator("#question").fill("What does the zebra do?")
        page.locator("#question").press("Enter")
        answer = page.locator(".answer")
        expect(answer.locator(".error")).to_contain_text(said)
        expect(answer).not_to_have_attribute("aria-busy", "true")
        page.unroute("**/v1/chat")
        answer.locator(".error button").click()
        expect(answer.locator(".cite")).to_have_text("1")


# Feedback


def rows_of(served: Served, page: Page) -> list[dict[str, Any]]:
    """Feedback on the conversation that is shown."""
    conversation = page.url.split("#")[1]
    return [row for row in served.application.feedback.export(True) if row["conversation_id"] == conversation]


def test_everything_that_a_person_says_about_an_answer_is_kept(page: Page, served: Served) -> None:
    ask_page(page, AMERICAN)
    bar = page.locator(".feedback")
    note = bar.locator("> .row [role=status]")

    def sent(count: int) -> dict[str, Any]:
        expect(note).to_have_text("Thank you, noted.")
        rows = rows_of(served, page)
        assert len(rows) == count
        return rows[-1]

    bar.get_by_label("may be used to improve the models").check()
    bar.get_by_role("button", name="Good answer").click()
    up = sent(1)
    assert (up["kind"], up["label"], up["consent"]) == ("vote", 1.0, True)

    bar.get_by_role("button", name="Bad answer").click()
    bar.get_by_label("Out of date").check()
    bar.get_by_label("In your own words").fill("It was last week.")
    bar.get_by_role("button", name="Send").click()
    down = sent(2)
    assert (down["label"], down["reason"], down["comment"]) == (0.0, "out_of_date", "It was last week.")

    bar.get_by_role("button", name="Report a broken rule").click()
    bar.get_by_label("Which rule").select_option("no-medical-advice")
    bar.get_by_role("button", name="Send").click()
    assert (sent(3)["rule"], sent(3)["label"]) == ("no-medical-advice", 0.0)

    bar.get_by_role("button", name="Write a better answer").click()
    better = bar.get_by_label("What should it have said?")
    assert "[1]" not in better.input_value()
    better.fill("Alan Shepard, in 1961.")
    bar.get_by_role("button", name="Send").click()
    assert sent(4)["text"] == "Alan Shepard, in 1961."

    bar.get_by_role("button", name="Compare candidates").click()
    shown = bar.locator(".side p:first-child").all_inner_texts()
    bar.get_by_role("button", name="This one").first.click()
    expect(bar.locator(".comparison")).to_contain_text("2 /")
    pair = sent(5)
    assert (pair["choice"], pair["label"]) == ("a", 1.0)
    assert [pair["a"]["text"], pair["b"]["text"]] == shown
    bar.get_by_role("button", name="Both bad").click()
    expect(bar.locator(".comparison")).to_contain_text("3 /")
    assert sent(6)["choice"] == "both_bad"


# History


def test_a_conversation_is_found_renamed_exported_and_deleted(page: Page) -> None:
    ask_page(page, AMERICAN)
    row = page.locator("#history li.current")
    row.get_by_role("button").click()
    page.get_by_role("menuitem", name="Rename").click()
    page.locator("#history input").fill("The zymurgy flight")
    page.keyboard.press("Enter")
    expect(row).to_contain_text("The zymurgy flight")
    page.locator("#find").fill("zymurgy")
    expect(page.locator("#history a")).to_have_count(1)
    page.locator("#find").fill("nothing like it")
    expect(page.locator("#history-note")).to_have_text("Nothing found.")
    page.locator("#find").fill("")
    row.get_by_role("button").click()
    with page.expect_download() as download:
        page.get_by_role("menuitem", name="Export as Markdown").click()
    assert "# The zymurgy flight" in Path(download.value.path()).read_text(encoding="utf-8")
    row.get_by_role("button").click()
    page.get_by_role("menuitem", name="Delete").click()
    page.locator("dialog").get_by_role("button", name="Cancel").click()
    expect(row).to_have_count(1)
    row.get_by_role("button").click()
    page.get_by_role("menuitem", name="Delete").click()
    page.locator("dialog").get_by_role("button", name="Delete").click()
    expect(page.locator("#history li.current")).to_have_count(0)
    expect(page.locator("#welcome")).to_be_visible()


def test_a_conversation_is_shared_by_a_link_that_can_be_taken_back(browser: Browser, empty: Served) -> None:
    told(empty, "When was Skylab launched?")
    with opened(browser, empty) as page:
        page.locator("#history li").get_by_role("button").click()
        page.get_by_role("menuitem", name="Share by link").click()
        dialog = page.get_by_role("dialog")
        dialog.get_by_role("button", name="Make a link").click()
        link = dialog.get_by_label("Link").input_value()
        with opened(browser, empty, link.removeprefix(empty.url), bypass_csp=True) as other:
            expect(other.get_by_role("heading", name="When was Skylab launched?")).to_have_count(1)
            other.locator(".text .number").click()
            expect(other.locator("li:target q")).to_contain_text("14 May 1973")
            check(other, "shared")
        dialog.get_by_role("button", name="Take it back").click()
        expect(dialog).to_contain_text("The link opens nothing any more.")
    assert empty.client.get(link).status_code == 404


# Search


def test_results_come_first_and_the_answer_on_top_follows(browser: Browser, served: Served, slow: Slow) -> None:
    with opened(browser, served, "/?q=first+American+in+space") as page:
        expect(page.locator(".result h3").first).to_be_visible()
        expect(page.locator("#overview .stages")).to_be_visible()
        assert "American" in page.locator(".result mark").all_inner_texts()[0]
        slow.held = False
        expect(page.locator("#overview .text")).to_contain_text("Shepard")
        page.locator(".result h3 button").first.click()
        expect(page.locator("#source mark")).to_be_visible()


def test_pages_and_filters_stand_in_the_address(browser: Browser, served: Served) -> None:
    with opened(browser, served, "/?q=space+station") as page:
        expect(page.locator(".result h3")).to_have_count(10)
        first = page.locator(".result h3").all_inner_texts()
        page.get_by_role("link", name="Next").click()
        expect(page).to_have_url(re.compile("page=2"))
        expect(page.locator("#pager")).to_contain_text("Page 2")
        assert page.locator(".result h3").all_inner_texts() != first
        page.go_back()
        expect(page.locator(".result h3").first).to_have_text(first[0])
        page.locator("#filters summary").click()
        page.locator("#filter-language").select_option("zh")
        expect(page).to_have_url(re.compile("language=zh"))
        expect(page.locator(".result h3").first).to_have_text(re.compile("[\u4e00-\u9fff]"))
        page.reload()
        expect(page.locator("#filter-language")).to_have_value("zh")
        page.locator("#clear").click()
        expect(page).not_to_have_url(re.compile("language"))


def test_one_switch_between_search_and_chat_keeps_the_query(page: Page) -> None:
    modes = page.get_by_role("navigation", name="Chat or search")
    page.locator("#question").fill(AMERICAN)
    modes.get_by_role("link", name="Search").click()
    expect(page.locator("#query")).to_have_value(AMERICAN)
    expect(page.locator("#overview .feedback")).to_be_visible()
    modes.get_by_role("link", name="Chat").click()
    expect(page.locator(".asked")).to_have_text(AMERICAN)
    expect(page.locator("#chat .answer .text")).to_contain_text("Shepard")
    modes.get_by_role("link", name="Search").click()
    expect(page.locator("#query")).to_have_value(AMERICAN)
    page.locator("#with-answer").uncheck()
    page.locator("#query").fill("lunar rover")
    page.locator("#query").press("Enter")
    expect(page.locator(".result").first).to_be_visible()
    expect(page.locator("#overview .answer")).to_have_count(0)
    modes.get_by_role("link", name="Chat").click()
    expect(page.locator("#question")).to_have_value("lunar rover")


def test_a_search_without_a_result_says_what_to_try(browser: Browser, served: Served) -> None:
    with opened(browser, served, "/?q=space&to=1900-01-01") as page:
        expect(page.locator("#found")).to_have_text("Nothing found.")
        expect(page.locator("#results")).to_contain_text("fewer filters")
        expect(page.locator("#overview .answer")).to_have_count(0)


# What goes on meanwhile


@pytest.fixture(scope="module")
def zebra(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A service that answers in milliseconds, and drafts one candidate unless a request asks for more."""
    with quick(tmp_path_factory.mktemp("zebra"), mode="fast") as service:
        yield service


def wait_for_it(page: Page, question: str) -> None:
    """Asks what a slow policy thinks about."""
    page.locator("#question").fill(question)
    page.locator("#question").press("Enter")
    expect(page.locator("#history li.current")).to_have_count(1)


def thinks(served: Served) -> AbstractContextManager[Slow]:
    return thinking(served, lambda usual, policy: replace(usual, policy=policy))


def test_skipping_to_the_content_leaves_the_conversation_as_it_is(browser: Browser, zebra: Served) -> None:
    with opened(browser, zebra) as page:
        ask_page(page, "What does the zebra do?")
        conversation = page.url
        page.locator(".skip").focus()
        page.keyboard.press("Enter")
        expect(page.locator("#main")).to_be_focused()
        expect(page.locator(".answer .text")).to_contain_text("grazes")
        assert page.url == conversation
        page.goto(f"{zebra.url}/#nowhere")
        expect(page.locator("#welcome")).to_be_visible()
        expect(page.locator(".error")).to_have_count(0)


def test_escape_closes_an_open_menu_and_leaves_the_answer_alone(browser: Browser, zebra: Served) -> None:
    with opened(browser, zebra) as page, thinks(zebra) as slow:
        wait_for_it(page, "What does the zebra eat?")
        page.locator("#history li.current").get_by_role("button").click()
        expect(page.get_by_role("menuitem", name="Rename")).to_be_focused()
        page.keyboard.press("Escape")
        expect(page.get_by_role("menu")).to_have_count(0)
        expect(page.locator("#stop")).to_be_visible()
        slow.held = False
        expect(page.locator(".answer .text")).to_contain_text("grazes")
        assert not slow.cancelled


def test_an_answer_that_ends_leaves_a_title_and_a_menu_in_use_alone(browser: Browser, zebra: Served) -> None:
    with opened(browser, zebra) as page:
        ask_page(page, "What was asked first?")
        first = page.url.split("#")[1]
        row = page.locator(f"#history li:has([href='/#{first}'])")
        page.locator("#new").click()
        with thinks(zebra) as slow:
            wait_for_it(page, "What does the zebra want?")
            row.get_by_role("button").click()
            page.get_by_role("menuitem", name="Rename").click()
            page.locator("#history input").press_sequentially("Half a ti")
            with page.expect_response(re.compile("/v1/conversations[?]")):
                slow.held = False
            expect(page.locator("#messages .feedback")).to_be_visible()
            title = page.locator("#history input")
            expect(title).to_be_focused()
            expect(title).to_have_value("Half a ti")
            assert zebra.application.conversations.get(first).title == "What was asked first?"
            title.press_sequentially("tle")
            title.press("Enter")
            expect(row).to_contain_text("Half a title")
        with thinks(zebra) as slow:
            wait_for_it(page, "What does the zebra need?")
            row.get_by_role("button").click()
            with page.expect_response(re.compile("/v1/conversations[?]")):
                slow.held = False
            expect(page.locator("#messages .feedback")).to_have_count(2)
            expect(page.get_by_role("menuitem", name="Rename")).to_be_focused()
            zebra.application.conversations.rename(first, "Named elsewhere")
            with page.expect_response(re.compile("/v1/conversations[?]")):
                page.keyboard.press("Escape")
            expect(row).to_contain_text("Named elsewhere")


def test_an_earlier_question_is_watched_to_its_end_though_a_later_one_was_stopped(
    browser: Browser, zebra: Served
) -> None:
    kept = zebra.application.conversations
    conversation, first = kept.begin("What does the zebra do?")
    _, second = kept.begin("And at night?", conversation)
    kept.fail(second, "stopped", '{"code": "cancelled", "message": "Stopped.", "hint": ""}')
    with opened(browser, zebra, f"/#{conversation}") as page:
        expect(page.locator(".stopped")).to_be_visible()
        expect(page.locator(".stages").first).to_be_visible()
        kept.fail(first, "failed", '{"code": "storage_failed", "message": "The disk is full.", "hint": ""}')
        expect(page.locator(".answer").first).to_contain_text("The disk is full.")


def test_a_conversation_that_is_deleted_elsewhere_while_it_is_watched_says_so(browser: Browser, zebra: Served) -> None:
    conversation, _ = zebra.application.conversations.begin("What does the zebra do?")
    with opened(browser, zebra, f"/#{conversation}", calm=False) as page:
        expect(page.locator(".stages")).to_be_visible()
        zebra.client.delete(f"/v1/conversations/{conversation}").raise_for_status()
        expect(page.locator("#messages [role=alert]")).to_contain_text(conversation)


def asked_in(page: Page, seconds: int) -> list[str]:
    """What the page asks in seconds on its clock; between two of them the service answers."""
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url) if "/v1/" in request.url else None)
    for _ in range(seconds):
        page.clock.run_for(1000)
        page.evaluate("fetch('/healthz').then(() => new Promise((done) => requestAnimationFrame(done)))")
    return asked


def test_waiting_for_an_answer_and_a_refresh_takes_few_requests(browser: Browser, zebra: Served) -> None:
    conversation, asked = zebra.application.conversations.begin("What does the zebra do?")
    jobs = zebra.application.refreshes.jobs
    with opened(browser, zebra) as page, jobs.recorded(jobs.begin("reports")) as job:
        job.progress("read", 30, 120)
        page.clock.install()
        page.goto(f"{zebra.url}/?#{conversation}")
        expect(page.locator(".stages")).to_be_visible()
        expect(page.locator("#size")).to_contain_text("30")
        sent = asked_in(page, 60)
        assert 4 < len(sent) < 30, sent
    zebra.application.conversations.fail(asked, "stopped", "{}")
    jobs.forget("reports")


def test_the_documents_view_asks_seldom_while_a_refresh_goes_on(browser: Browser, zebra: Served) -> None:
    jobs = zebra.application.refreshes.jobs
    with opened(browser, zebra) as page, jobs.recorded(jobs.begin("reports")) as job:
        job.progress("read", 30, 120)
        page.clock.install()
        page.goto(f"{zebra.url}/documents")
        expect(page.locator(".job progress")).to_be_visible()
        sent = asked_in(page, 60)
        assert 10 < len(sent) < 60, sent
    jobs.forget("reports")


def test_a_key_that_may_send_no_more_for_now_is_told_so_and_is_left_in_peace(browser: Browser, empty: Served) -> None:
    _, secret = empty.application.keys.add("Ada", per_minute=50)
    with opened(browser, empty, calm=False) as page:
        page.get_by_label("Key", exact=True).fill(secret)
        page.get_by_role("button", name="Enter").click()
        expect(page.locator("#size")).to_contain_text("documents")
        page.clock.install()
        page.reload()
        expect(page.locator("#size")).to_contain_text("documents")
        headers = {"authorization": f"Bearer {secret}"}
        while empty.client.get("/v1/rules", headers=headers).status_code == 200:
            pass
        page.evaluate("dispatchEvent(new Event('online'))")
        expect(page.locator("#notice")).to_contain_text("may send 50 requests a minute")
        expect(page.locator("#offline")).to_be_hidden()
        asked = asked_in(page, 50)
        assert asked == []


def test_a_draft_stays_in_its_conversation_while_documents_are_looked_at(browser: Browser, zebra: Served) -> None:
    with opened(browser, zebra, "/?q=zebra") as page:
        expect(page.locator("#overview .feedback")).to_be_visible()
        page.locator("#with-answer").uncheck()
        page.locator("#history a").first.click()
        expect(page.locator(".answer .feedback")).to_be_visible()
        conversation, modes = page.url, page.get_by_role("navigation", name="Chat or search")
        page.locator("#question").fill("And at night?")
        page.get_by_role("link", name="Documents", exact=True).click()
        expect(page.locator("#tiles")).to_be_visible()
        modes.get_by_role("link", name="Chat").click()
        expect(page.locator("#question")).to_have_value("And at night?")
        expect(page.locator(".answer .feedback")).to_be_visible()
        assert page.url == conversation
        page.go_back()
        page.go_back()
        page.go_back()
        expect(page.locator("#query")).to_have_value("zebra")
        modes.get_by_role("link", name="Chat").click()
        expect(page.locator("#question")).to_have_value("And at night?")
        assert page.url == conversation


def test_the_services_own_mode_holds_until_a_person_chooses(browser: Browser, zebra: Served) -> None:
    def asked(page: Page) -> str | None:
        with page.expect_request("**/v1/chat") as sent:
            ask_page(page, "What does the zebra do?")
        mode: str | None = sent.value.post_data_json.get("mode")
        return mode

    with opened(browser, zebra) as page:
        page.route("**/v1/status", lambda _: None)  # no reply yet
        page.reload()
        assert asked(page) is None
        page.unroute("**/v1/status")
        page.reload()
        expect(page.locator("#depth")).to_have_value("fast")
        assert asked(page) == "fast"
        page.locator("#depth").select_option("careful")
        page.reload()
        expect(page.locator("#depth")).to_have_value("careful")
        assert asked(page) == "careful"


# Documents


def test_documents_are_listed_filtered_added_and_deleted(browser: Browser, served: Served) -> None:
    with opened(browser, served, "/documents", calm=False) as page:
        rows = page.locator("#document-rows tr")
        expect(page.locator("#tiles")).to_contain_text("On disk")
        page.locator("#document-filter").fill("space suits")
        expect(rows).to_have_count(1)
        good = {
            "name": "ferry.md",
            "mimeType": "text/markdown",
            "buffer": b"# Ferry\n\nThe wombat ferry leaves at ten.",
        }
        bad = {"name": "broken.pdf", "mimeType": "application/pdf", "buffer": b"%PDF-1.4 nothing"}
        page.locator("#files").set_input_files([good, bad])
        expect(page.locator("#uploads .done")).to_contain_text("can be asked now")
        expect(page.locator("#uploads .bad")).to_contain_text("broken.pdf")
        page.locator("#document-filter").fill("ferry")
        expect(rows).to_have_count(1)
        expect(rows.get_by_role("button", name="Delete")).to_be_visible()
        expect(rows.get_by_role("button", name="Read anew")).to_have_count(0)
        rows.get_by_role("button", name="Ferry", exact=True).click()
        expect(page.locator("#source")).to_contain_text("leaves at ten")
        rows.get_by_role("button", name="Delete").click()
        page.locator("dialog").get_by_role("button", name="Delete").click()
        expect(page.locator("#document-rows")).to_contain_text("Nothing found.")
    assert served.client.get("/v1/documents", params={"q": "ferry.md"}).json()["documents"] == []


def test_a_file_can_be_dropped_on_the_page(browser: Browser, served: Served) -> None:
    with opened(browser, served, "/documents") as page:
        files = page.evaluate_handle(
            "() => { const held = new DataTransfer();"
            "held.items.add(new File(['The numbat tram is yellow.'], 'tram.txt')); return held }"
        )
        page.locator("#drop").dispatch_event("drop", {"dataTransfer": files})
        expect(page.locator("#uploads .done")).to_contain_text("tram.txt")
    [document] = served.client.get("/v1/documents", params={"q": "tram.txt"}).json()["documents"]
    served.client.delete(f"/v1/documents/{document['id']}")


def test_a_refresh_shows_its_stage_its_rate_and_its_fault(browser: Browser, served: Served) -> None:
    jobs = served.application.refreshes.jobs
    try:
        with (
            suppress(BadInput),
            jobs.recorded(jobs.begin("reports")) as job,
            opened(browser, served, "/documents") as page,
        ):
            job.progress("read", 30, 120)
            job.progress("encode", 5, 9)
            job.counted(RefreshReport(skipped=Counter({".pptx": 3})))
            row = page.locator(".job", has_text="reports")
            for words in (
                "Encoding passages",
                "30 / 120",
                "a second",
                "left",
                "heartbeat",
                "5 passages encoded",
                "3 skipped (.pptx)",
            ):
                expect(row).to_contain_text(words)
            raise BadInput("The folder is gone.")
        with opened(browser, served, "/documents") as page:
            expect(page.locator(".job [role=alert]")).to_have_text("The folder is gone.")
    finally:
        jobs.forget("reports")


def test_a_refresh_whose_process_is_gone_says_so(browser: Browser, served: Served) -> None:
    jobs = served.application.refreshes.jobs
    dead = jobs.begin("reports").id
    with served.application.database.begin() as connection:
        connection.execute(update(JOBS).where(JOBS.c.id == dead).values(owner=f"{socket.gethostname()} {2**22 + 1}"))
    try:
        with opened(browser, served, "/documents") as page:
            row = page.locator(".job", has_text="reports")
            expect(row.locator(".state")).to_have_text("died")
            expect(row.get_by_role("alert")).to_contain_text("process that ran it is gone")
    finally:
        jobs.forget("reports")


@pytest.fixture
def empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Served]:
    """A service of which only the documents matter, none of them there yet."""
    monkeypatch.setattr("service.app.make_encoder", lambda _: HashingEncoder())
    with running(tmp_path / "home", load_models=False, sharing=True) as service:
        service.application.library.now()
        yield service


def test_a_source_is_tried_added_refreshed_and_removed(browser: Browser, empty: Served, tmp_path: Path) -> None:
    docs = tmp_path / "docs"
    docs.mkdir()
    (docs / "tram.md").write_text("# Tram\n\nThe numbat tram is yellow.\n")
    (docs / "bad.pdf").write_bytes(b"%PDF-1.7 and then nothing")
    with opened(browser, empty, "/documents", calm=False) as page:
        expect(page.locator("#document-rows")).to_contain_text("Nothing is indexed yet.")
        page.get_by_text("Add a source").click()
        page.get_by_label("Folder, address, bucket or database").fill(str(docs / "nothing"))
        page.get_by_role("button", name="Try it first").click()
        expect(page.locator("#source-tried")).to_contain_text("There is no file or folder")
        page.get_by_label("Folder, address, bucket or database").fill(str(docs))
        page.get_by_label("Name (optional)").fill("trams")
        page.get_by_role("button", name="Try it first").click()
        expect(page.locator("#source-tried")).to_contain_text("It lists 2 items")
        expect(page.locator("#source-tried")).to_contain_text("Tram")
        page.get_by_role("button", name="Add and read it").click()
        source = page.locator(".source", has_text="trams")
        expect(source).to_contain_text("1 document")
        job = page.locator(".job").first
        expect(job.locator(".state")).to_have_text("done")
        expect(job).to_contain_text("1 added")
        job.get_by_text("1 not read: why").click()
        expect(job.locator(".failures")).to_contain_text("bad.pdf")
        (docs / "tram.md").write_text("# Tram\n\nThe numbat tram is green.\n")
        page.get_by_role("button", name="Read anew: Tram").click()
        expect(page.locator("#document-rows")).to_contain_text("read anew, changed")
        page.locator("#document-rows").get_by_role("button", name="Tram", exact=True).click()
        expect(page.locator("#source")).to_contain_text("green")
        page.keyboard.press("Escape")
        source.get_by_role("button", name="Delete").click()
        page.locator("dialog").get_by_role("button", name="Delete").click()
        expect(page.locator("#sources")).to_contain_text("No sources are kept yet")
        expect(page.locator("#document-rows")).to_contain_text("Nothing is indexed yet.")


def test_what_was_read_is_listed_though_the_job_had_ended_before_it_was_seen(
    browser: Browser, empty: Served, tmp_path: Path
) -> None:
    (tmp_path / "tram.md").write_text("# Tram\n\nThe numbat tram is yellow.\n")

    def late(route: Route) -> None:
        while any(not job["finished_at"] for job in empty.client.get("/v1/jobs").json()["jobs"]):
            time.sleep(0.05)
        route.continue_()

    with opened(browser, empty, "/documents") as page:
        page.route("**/v1/jobs?*", late)
        page.get_by_text("Add a source").click()
        page.get_by_label("Folder, address, bucket or database").fill(str(tmp_path))
        page.get_by_role("button", name="Add and read it").click()
        expect(page.locator("#document-rows")).to_contain_text("Tram")


# Annotation


def test_drafts_are_compared_blindly_with_keys_and_a_slip_is_undone(page: Page, served: Served) -> None:
    served.client.post("/v1/chat", json={"message": "How tall was the Saturn V?"})  # of other words, and next in turn
    ask_page(page, AMERICAN)
    conversation = page.url.split("#")[1]
    [_, turn] = served.client.get(f"/v1/conversations/{conversation}").json()["turns"]
    drafts = {draft["text"]: draft for draft in turn["answer"]["candidates"]}

    def rows() -> list[dict[str, Any]]:
        exported = served.application.feedback.export(True, "pair")
        return [row for row in exported if row["conversation_id"] == conversation]

    page.keyboard.press("Escape")
    page.get_by_role("link", name="Annotate").click()
    panel = page.locator("#compare-panel")
    sides = panel.locator(".side .number + p")
    expect(panel.locator(".asked")).to_have_text(AMERICAN)
    shown = sides.all_inner_texts()
    assert len(set(shown)) == 2
    assert not any(draft["origin"] in panel.inner_text() for draft in drafts.values() if draft["origin"] != "tool")
    page.keyboard.press("1")
    expect(sides).not_to_have_text(shown)
    [row] = rows()
    assert (row["choice"], row["label"], [row["a"]["text"], row["b"]["text"]]) == ("a", 1.0, shown)
    if row["a"]["origin"] != row["b"]["origin"]:
        expect(page.locator("#ratings")).to_contain_text(row["a"]["origin"])
    page.keyboard.press("u")
    expect(page.locator("#annotate-note")).to_have_text("Taken back.")
    expect(sides).to_have_text(shown)
    assert rows() == []
    page.keyboard.press("s")
    expect(sides).not_to_have_text(shown)
    assert rows() == []
    page.reload()
    expect(sides).to_have_text(shown)
    page.get_by_role("button", name="Both bad").click()
    expect(sides).not_to_have_text(shown)
    assert [each["choice"] for each in rows()] == ["both_bad"]


def test_a_rule_is_probed_in_a_conversation_of_its_own(browser: Browser, served: Served) -> None:
    with opened(browser, served, "/annotate") as page:
        page.get_by_role("tab", name="Probe a rule").click()
        page.get_by_label("Rule to probe").select_option("no-legal-advice")
        rules = {rule["id"]: rule for rule in served.client.get("/v1/rules").json()["rules"]}
        expect(page.locator("#rule-text")).to_have_text(rules["no-legal-advice"]["text_en"])
        page.get_by_label("Try to make it break the rule").fill(AMERICAN)
        page.get_by_label("Try to make it break the rule").press("Enter")
        judged = page.get_by_role("group", name="Was the rule broken?")
        judged.get_by_role("button", name="Kept").click()
        expect(page.locator("#probe-count")).to_contain_text("1 kept")
        row = list(served.application.feedback.export(True, "rule"))[-1]
        assert (row["rule"], row["label"], row["dialogue"][-1]["text"]) == ("no-legal-advice", 1.0, AMERICAN)
        page.get_by_role("button", name="Undo").click()
        expect(judged.get_by_role("button", name="Broken")).to_be_visible()
        judged.get_by_role("button", name="Broken").click()
        expect(page.locator("#probe-count")).to_contain_text("1 broken, 0 kept")
        page.get_by_label("Try to make it break the rule").fill("When did he fly?")
        page.locator("#prober").get_by_role("button", name="Send").click()
        judged.get_by_role("button", name="Broken").click()
        expect(page.locator("#probe-count")).to_contain_text("2 broken, 0 kept")
        row = list(served.application.feedback.export(True, "rule"))[-1]
        assert [turn["role"] for turn in row["dialogue"]] == ["user", "assistant", "user"]


# Administration


def test_approved_answers_are_written_mended_and_removed(browser: Browser, empty: Served) -> None:
    approved = empty.application.approved
    with opened(browser, empty, "/admin", calm=False) as page:  # asking whether a name is free is told to the console
        panel = page.locator("#approved-panel")
        page.get_by_role("button", name="Add an answer").click()
        new = page.get_by_role("form", name="Add an answer")
        new.get_by_label("Questions that it answers").first.fill("Where can visitors park?\n\nIs there parking?")
        new.get_by_role("button", name="Save").click()
        expect(new.get_by_role("alert")).to_have_text("Write a question and an answer, in one language at least.")
        new.get_by_label("Answer", exact=True).last.fill("在 B 排。")
        page.locator("#language").click()
        expect(new.locator("textarea").last).to_have_value("在 B 排。")  # nothing that was written is lost
        page.locator("#language").click()
        new.get_by_label("Name").fill("privacy")
        new.get_by_role("button", name="Save").click()
        expect(new.get_by_role("alert")).to_contain_text("named privacy already")
        new.get_by_label("Name").fill("")
        new.get_by_role("button", name="Save").click()
        expect(panel.locator(".entry").first).to_contain_text("在 B 排。")
        entry = approved.get("where-can-visitors-park")
        assert entry.phrases == {"en": ("Where can visitors park?", "Is there parking?")}
        panel.get_by_role("button", name="Edit: Where can visitors park?").click()
        mended = page.get_by_role("form", name="Edit")
        mended.get_by_label("Answer", exact=True).first.fill("In row B.")
        mended.get_by_role("button", name="Save").click()
        expect(panel.locator(".entry").first).to_contain_text("In row B.")
        assert approved.get(entry.id).answers == {"en": ("In row B.",), "zh": ("在 B 排。",)}
        panel.get_by_role("button", name="Delete: Where can visitors park?").click()
        page.locator("dialog").get_by_role("button", name="Delete").click()
        expect(panel).not_to_contain_text("Where can visitors park?")
        assert entry.id not in [each.id for each in approved.list()]


def test_rules_are_read_in_both_languages_switched_and_set(browser: Browser, empty: Served) -> None:
    first = empty.application.rulebook.list()[0]
    with opened(browser, empty, "/admin") as page:
        page.get_by_role("tab", name="Rules").click()
        rule = page.locator("#rules-panel .rule").first
        expect(rule).to_contain_text(first.text_en)
        expect(rule).to_contain_text(first.text_zh)
        rule.get_by_role("switch").press("Space")
        expect(rule).to_contain_text("Off")
        expect(rule.get_by_role("switch")).to_be_focused()
        rule.get_by_role("spinbutton").fill("1.5")
        rule.get_by_role("spinbutton").blur()
        assert empty.application.rulebook.list()[0].floor == first.floor
        rule.get_by_role("spinbutton").fill("0.25")
        rule.get_by_role("spinbutton").press("Enter")
        expect(rule.get_by_role("button", name="Back to the usual floor")).to_be_visible()
        chosen = empty.application.rulebook.list()[0]
        assert (chosen.enabled, chosen.floor) == (False, 0.25)
        page.reload()
        expect(rule.get_by_role("switch")).not_to_be_checked()
        rule.get_by_role("button", name="Back to the usual floor").click()
        expect(rule.get_by_role("spinbutton")).to_have_value(str(first.floor))
        assert empty.application.rulebook.list()[0].floor == first.floor


def test_the_first_key_lets_its_maker_stay_and_a_lesser_one_sees_what_it_may(browser: Browser, empty: Served) -> None:
    told(empty, "When was Skylab launched?")
    keys = empty.application.keys
    with opened(browser, empty, "/admin") as page:
        panel = page.locator("#keys-panel")
        page.get_by_role("tab", name="API keys").click()
        expect(panel).to_contain_text("From the first key on, every request needs one")
        panel.get_by_label("Whose key is it?").fill("Ada")
        panel.get_by_role("button", name="Make a key").click()
        secret = panel.get_by_label("Key", exact=True).input_value()
        assert (keys.find(secret).scope, keys.list()[0].name) == ("admin", "Ada")
        expect(panel).to_contain_text("this page")
        expect(page.locator("#history")).to_contain_text("Skylab")
        panel.get_by_role("button", name="I have it").click()
        expect(page.locator("#admin")).not_to_contain_text(secret)
        panel.get_by_text("Make a key").first.click()
        panel.get_by_label("Who or what will use it?").fill("search box")
        panel.get_by_label("Requests a minute").fill("600")
        panel.get_by_role("button", name="Make a key").click()
        expect(panel.locator(".entry")).to_have_count(2)
        lesser = panel.get_by_label("Key", exact=True).input_value()
        assert (keys.find(lesser).scope, keys.find(lesser).per_minute) == ("read", 600)
        with opened(browser, empty, "/admin", calm=False) as other:
            other.get_by_role("dialog").get_by_label("Key").fill(lesser)
            other.get_by_role("dialog").get_by_role("button", name="Enter").click()
            expect(other.locator("#admin-note")).to_contain_text("search box")
            expect(other.get_by_role("tab", name="API keys")).to_be_hidden()
            expect(other.locator("#approved-panel .entry").first).to_be_visible()
            expect(other.locator("#approved-panel").get_by_role("button")).to_have_count(0)
            other.get_by_role("tab", name="Rules").click()
            expect(other.locator("#rules-panel")).to_contain_text("On · floor")
            expect(other.locator("#rules-panel input")).to_have_count(0)
        panel.get_by_role("button", name="Revoke: search box").click()
        page.locator("dialog").get_by_role("button", name="Revoke").click()
        expect(panel).to_contain_text("revoked")
        panel.get_by_role("button", name="Revoke: Ada").click()
        expect(page.get_by_role("dialog")).to_contain_text("the last key of an administrator")
        page.locator("dialog").get_by_role("button", name="Cancel").click()
        assert [key.state for key in keys.list()] == ["revoked", "live"]


# The frame


def test_the_appearance_is_chosen_and_kept(browser: Browser, served: Served) -> None:
    with opened(browser, served, color_scheme="dark") as page:
        ground = "getComputedStyle(document.body).backgroundColor"
        dark = page.evaluate(ground)
        page.locator("#theme").click()
        expect(page.locator("html")).to_have_attribute("data-theme", "light")
        light = page.evaluate(ground)
        assert light != dark
        page.reload()
        assert page.evaluate(ground) == light


def test_keys_lead_where_the_sheet_says(page: Page) -> None:
    page.locator("#question").fill("?")
    page.locator("#question").blur()
    page.keyboard.press("?")
    expect(page.locator("#help-sheet")).to_be_visible()
    page.keyboard.press("Escape")
    page.keyboard.press("d")
    expect(page.locator("#tiles")).to_be_visible()
    page.keyboard.press("n")
    expect(page.locator("#question")).to_be_focused()
    page.keyboard.press("d")
    expect(page.locator("#question")).to_have_value("?d")
    page.locator("#question").fill("")
    page.locator("#question").blur()
    page.keyboard.press("?")
    page.get_by_label("Use single keys").uncheck()
    page.keyboard.press("Escape")
    page.keyboard.press("d")
    expect(page.locator("#tiles")).to_be_hidden()


def test_the_page_speaks_chinese(page: Page) -> None:
    page.locator("#language").click()
    expect(page.locator("#send")).to_have_text("提问")
    page.locator("#suggestions button").first.click()
    expect(page.locator(".answer .text")).to_contain_text("2003")
    expect(page.locator("details.why > summary")).to_contain_text("为什么这样回答")
    ask_page(page, "是谁乘坐的？")
    page.locator("details.why").last.locator("> summary").click()
    expect(page.locator("details.why").last).to_contain_text("神舟五号")


def test_every_text_stands_in_both_languages(page: Page) -> None:
    shape = """async () => {
        const { TEXTS, CODES } = await import('/static/texts.js');
        const keys = (value, path) => value && typeof value === 'object' && !Array.isArray(value)
            ? Object.entries(value).flatMap(([name, one]) => keys(one, `${path}${name}.`))
            : [[path, typeof value, value]];
        return { en: keys(TEXTS.en, ''), zh: keys(TEXTS.zh, ''), codes: Object.keys(CODES) };
    }"""
    found = page.evaluate(shape)
    assert [(name, kind) for name, kind, _ in found["en"]] == [(name, kind) for name, kind, _ in found["zh"]]
    assert all(value for language in ("en", "zh") for _, kind, value in found[language] if kind == "string")
    known = {name.split(".")[0] for name, _, _ in found["en"]}
    source = "".join(path.read_text(encoding="utf-8") for path in WEB.glob("*.*s"))
    markup = (WEB / "index.html").read_text(encoding="utf-8")
    used = set(re.findall(r'\btext\("([\w-]+)"', source))
    used |= set(re.findall(r'data-(?:text|label|placeholder)="([\w-]+)"', markup))
    assert used <= known, used - known
    codes = {error.code for error in every(PasserineError)} - {"error"}
    assert codes <= set(found["codes"]), codes - set(found["codes"])
    assert ServerFailed.code in codes


def test_no_text_is_defined_twice() -> None:
    assert repeated('{ a: { b: 1 }, "b c": `x, b: ${1}`, b: "b:", c: n => n ? n : 2, "b c": 3 }') == ["b c"]
    assert repeated((WEB / "texts.js").read_text(encoding="utf-8")) == []


def repeated(script: str) -> list[str]:
    """Names that an object in a script has twice: the language keeps the last one, and says nothing."""
    tokens = re.findall(r'//.*|/\*(?:.|\n)*?\*/|"(?:[^"\\]|\\.)*"|`(?:[^`\\]|\\.)*`|\w+|[^\s\w]', script)
    code = [token for token in tokens if not token.startswith(("//", "/*"))]
    twice: list[str] = []
    objects: list[set[str]] = []
    for before, token, after in zip(["", *code], code, [*code[1:], ""], strict=False):
        if token == "{":
            objects.append(set())
        elif token == "}":
            objects.pop()
        elif before in ("{", ",") and after == ":":
            name = token.strip('"')
            twice += {name} & objects[-1]
            objects[-1].add(name)
    return twice


def every(kind: type[PasserineError]) -> set[type[PasserineError]]:
    return {kind}.union(*(every(each) for each in kind.__subclasses__()))


def test_words_of_a_document_are_never_run_as_markup(browser: Browser, served: Served) -> None:
    text = "The zorbital frobnicator was built by <img src=x onerror=alert(1)> Quentin Marlowe in 1931 in Leeds."
    served.client.post("/v1/documents", json={"id": "markup", "title": "<b>Frobnicator</b>", "text": text})
    try:
        with opened(browser, served) as page:
            ask_page(page, "Who built the zorbital frobnicator?")
            expect(page.locator(".answer").last).to_contain_text("onerror")
            expect(page.locator("#messages img")).to_have_count(0)
        with opened(browser, served, calm=False) as page:  # the browser tells the console what it refused
            refused = page.evaluate(
                "() => { try { document.body.innerHTML = '<p>'; return false } catch { return true } }"
            )
            assert refused, "the browser itself lets text become markup"
    finally:
        served.client.delete("/v1/documents/markup")


def test_every_view_fits_a_telephone_whatever_the_words(browser: Browser, served: Served) -> None:
    words = f"The {'Donaudampfschiff' * 12} קטר was built in Vienna by Emil Zorn in 1911."
    served.client.post("/v1/documents", json={"id": "long", "title": "קטר" * 40, "text": words, "url": "x" * 300})
    try:
        with opened(browser, served, viewport={"width": 360, "height": 740}) as page:
            ask_page(page, "Who built the קטר in Vienna?")
            page.locator("details.why > summary").click()
            wide = "document.documentElement.scrollWidth"
            for path in ("", "/?q=Vienna+Emil+Zorn", "/documents", "/annotate", "/admin"):
                if path:
                    page.goto(served.url + path)
                    expect(page.locator(".result, #document-rows button, .side, .entry").first).to_be_visible()
                assert page.evaluate(wide) <= 360, path or "chat"
            page.locator("#menu").click()
            expect(page.locator("#new")).to_be_visible()
            page.keyboard.press("Escape")
            expect(page.locator("#new")).to_be_hidden()
    finally:
        served.client.delete("/v1/documents/long")


def test_axe_finds_nothing_serious(browser: Browser, served: Served) -> None:
    with opened(browser, served, bypass_csp=True, reduced_motion="reduce") as page:
        expect(page.locator("#send")).not_to_be_empty()
        check(page, "welcome")
        ask_page(page, AMERICAN)
        page.locator("details.why > summary").click()
        page.get_by_role("button", name="Bad answer").click()
        page.locator(".cite").first.click()
        expect(page.locator("#source mark")).to_be_visible()
        check(page, "answer")
        page.keyboard.press("Escape")
        page.locator("#help").click()
        check(page, "help")
        page.goto(f"{served.url}/?q=space+station&language=en&page=1")
        expect(page.locator("#overview .feedback")).to_be_visible()
        check(page, "search with filters open")
        page.goto(f"{served.url}/?q=space&to=1900-01-01")
        expect(page.locator("#results")).to_contain_text("fewer filters")
        check(page, "nothing found")
        page.goto(f"{served.url}/documents")
        expect(page.locator("#document-rows button").first).to_be_visible()
        page.get_by_text("Add a source").click()
        check(page, "documents")
        page.goto(f"{served.url}/annotate")
        expect(page.locator("#compare-panel .side").first).to_be_visible()
        check(page, "annotation")
        page.get_by_role("tab", name="Probe a rule").click()
        check(page, "probing")
        page.goto(f"{served.url}/admin")
        page.get_by_role("button", name="Add an answer").click()
        check(page, "approved answers")
        page.get_by_role("tab", name="Rules").click()
        expect(page.locator(".rule").first).to_be_visible()
        check(page, "rules")
        page.get_by_role("tab", name="API keys").click()
        check(page, "keys")


def check(page: Page, state: str) -> None:
    """All rules in the light, and in the dark those that look at colours."""
    for scheme, rules in (("light", {}), ("dark", {"runOnly": ["color-contrast", "link-in-text-block"]})):
        # without motion, and after two frames: what is drawn may still have the colours of before
        page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
        page.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
        found = Axe().run(page, options={"resultTypes": ["violations"], **rules}).response["violations"]
        serious = [
            (rule["id"], node["html"][:200]) for rule in found if rule["impact"] in ("serious", "critical")
            for node in rule["nodes"]
        ]  # fmt: skip
        assert not serious, (state, scheme, serious)
