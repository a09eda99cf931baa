"""What stands around a result list: facets to click, and passages like one of it. HTTP and page."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from playwright.sync_api import Browser, expect

from indexing.types import Document
from tests.serving import Served, quick
from tests.test_page import browser, check, opened

__all__ = ["browser"]

SHELF = [
    Document("bread", "", "Bread", "Knead the dough, let it rise and heat the oven.", datetime(2020, 3, 1, tzinfo=UTC)),
    Document("rolls", "", "Rolls", "Dough for rolls goes into the oven at once.", datetime(2021, 3, 1, tzinfo=UTC)),
    Document("面团", "", "面团", "先揉面团（dough），再放进烤箱（oven）。", datetime(2021, 6, 1, tzinfo=UTC)),
]


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with quick(tmp_path_factory.mktemp("shelf")) as service:
        service.application.library.now().add(SHELF)
        yield service


def test_facets_and_similar_passages_over_http(shelf: Served) -> None:
    found = shelf.client.get("/v1/search", params={"q": "dough", "k": 1}).json()
    assert found["facets"]["year"] == {"2021": 2, "2020": 1}
    assert found["facets"]["source"] == {"api": 4}, "past the hits shown, and as near as there is"
    like = shelf.client.get("/v1/similar", params={"passage": found["hits"][0]["passage"]["id"], "k": 1}).json()
    assert like["query"] == found["hits"][0]["document"]["title"]
    assert like["hits"][0]["document"]["id"] in {"bread", "rolls", "面团"} - {found["hits"][0]["document"]["id"]}
    assert like["snippets"][0]["text"]
    assert shelf.client.get("/v1/search", params={"q": "dougj"}).json()["did_you_mean"] == "dough"
    missing = shelf.client.get("/v1/similar", params={"passage": "nothing"})
    assert (missing.status_code, missing.json()["error"]["code"]) == (404, "not_found")


def test_a_click_narrows_the_list_or_shows_what_is_alike(browser: Browser, shelf: Served) -> None:
    with opened(browser, shelf, "/?q=dougj") as page:
        page.get_by_role("link", name="Did you mean “dough”?").click()
        expect(page).to_have_url(re.compile("q=dough$"))
        facets = page.get_by_role("navigation", name="Narrow the search")
        facets.get_by_role("link", name="2020 1").click()
        expect(page).to_have_url(re.compile("from=2020-01-01&to=2020-12-31"))
        expect(page.locator(".result h3")).to_have_text(["Bread"])
        check(page, "search narrowed by a facet")
        facets.get_by_role("link", name="2020 1").click()
        expect(page.locator(".result h3").nth(1)).to_be_visible()
        page.get_by_role("link", name="More like this: Bread").click()
        expect(page.locator("#found")).to_have_text("Passages like the one of “Bread”")
        expect(page.locator(".result h3").first).to_have_text(re.compile("Rolls|面团"))
        expect(page.locator(".result h3", has_text="Bread")).to_have_count(0)
