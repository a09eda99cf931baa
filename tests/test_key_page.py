"""The page of a service that asks for keys, in a real browser."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.serving import Served, ask_page
from tests.test_page import browser, check, opened

__all__ = ["browser"]


@pytest.fixture
def keyed(served: Served) -> Iterator[Served]:
    """The shared service, whose keys are forgotten after the test: it would stay closed to the others."""
    yield served
    for key in served.application.keys.list():
        served.application.keys.forget(key.id)


def enter(page: Page, key: str) -> None:
    field = page.get_by_label("Key", exact=True)
    field.fill(key)
    field.press("Enter")


def test_the_page_asks_for_a_key_once_and_works_with_it(browser: Browser, keyed: Served) -> None:
    _, secret = keyed.application.keys.add("Ada")
    with opened(browser, keyed, calm=False) as page:  # the browser tells the console of every 401
        dialog = page.get_by_role("dialog", name="This service asks for a key")
        expect(dialog).to_be_visible()
        page.keyboard.press("Escape")
        page.keyboard.press("Escape")
        expect(dialog).to_be_visible()
        enter(page, "psn_wrong")
        expect(dialog.get_by_role("alert")).to_contain_text("not good")
        enter(page, secret)
        expect(dialog).to_have_count(0)
        ask_page(page, "Who was the first American in space?")
        expect(page.locator(".answer .cite").first).to_be_visible()
        assert secret not in page.evaluate("JSON.stringify([document.cookie, {...localStorage}, {...sessionStorage}])")
        page.reload()
        expect(page.locator(".answer .cite").first).to_be_visible()
        with page.expect_download() as download:
            page.locator("#history li").first.hover()
            page.locator("#history li button[aria-haspopup]").first.click()
            page.get_by_role("menuitem", name="Export as Markdown").click()
        assert "American" in Path(download.value.path()).read_text(encoding="utf-8")
        page.get_by_role("button", name="Sign out (Ada)").click()
        expect(dialog).to_be_visible()


def test_the_dialog_speaks_chinese_and_shuts_nobody_out(browser: Browser, keyed: Served) -> None:
    keyed.application.keys.add("Ada")
    with opened(browser, keyed, calm=False, locale="zh-CN", bypass_csp=True) as page:
        expect(page.get_by_role("dialog", name="此服务需要密钥")).to_be_visible()
        expect(page.get_by_label("密钥", exact=True)).to_be_focused()
        check(page, "key")


def test_a_key_that_is_revoked_meanwhile_is_asked_for_again(browser: Browser, keyed: Served) -> None:
    (first, secret), (_, another) = keyed.application.keys.add("Ada"), keyed.application.keys.add("Ida")
    with opened(browser, keyed, calm=False) as page:
        enter(page, secret)
        expect(page.get_by_role("button", name="Sign out (Ada)")).to_be_visible()
        keyed.application.keys.revoke(first.id)
        # Whatever the page asks the service next opens the dialog, and no key reaches what lies behind it.
        page.evaluate("question.value = 'When was Skylab launched?', composer.requestSubmit()")
        enter(page, another)
        expect(page.locator(".answer .text")).to_contain_text("1973")
        expect(page.get_by_role("button", name="Sign out (Ida)")).to_be_visible()
