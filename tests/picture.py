"""The pictures of the page in docs/: `make picture`. A real service answers, in a real browser."""

import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Page, expect

from indexing.refresh import refresh
from indexing.store import Index
from models.encoder import load_encoder
from service.app import EXAMPLES
from service.config import load
from tests.serving import PATIENCE_MS, Served, ask_page, chromium, running

TALL = "How tall was the Saturn V?"
EARLIER = ("中国第一位进入太空的航天员是谁？", "What is the capital of Peru?", TALL)
"""Each in a conversation of its own, so that the list of conversations is not empty; the last one is shown."""


def make(folder: Path) -> None:
    """Writes every picture into the folder, under the name of what it shows."""
    with service() as served, chromium() as browser:
        for name, (show, wide, scheme) in PICTURES.items():
            width, height = (1280, 800) if wide else (390, 780)
            page = browser.new_page(
                viewport={"width": width, "height": height},
                locale="en-GB",
                color_scheme=scheme,
                reduced_motion="reduce",
            )
            page.set_default_timeout(PATIENCE_MS)
            expect.set_options(timeout=PATIENCE_MS)
            page.goto(served.url)
            show(page)
            page.screenshot(path=folder / f"{name}.png")
            page.close()


@contextmanager
def service() -> Iterator[Served]:
    """A service on the example documents, in a folder of its own."""
    with tempfile.TemporaryDirectory(prefix="passerine-picture-") as folder:
        home, documents = Path(folder) / "home", Path(folder) / "documents"
        shutil.copytree(EXAMPLES, documents)
        home.mkdir()
        (home / "models").symlink_to(load().home / "models", target_is_directory=True)
        encoder = load_encoder("multilingual-e5-small", home)
        index = Index.create(home / "index", encoder)
        refresh([documents], index, encoder)
        index.close()
        with running(home) as served:
            yield served


def answer(page: Page) -> None:
    """An answer, its source beside it."""
    for question in EARLIER:
        page.locator("#new").click()
        ask_page(page, question)
    page.locator(".answer .cite").first.click()
    expect(page.locator("#source mark")).to_be_visible()


def why(page: Page) -> None:
    """The candidates behind an answer."""
    ask_page(page, TALL)
    page.locator("details.why > summary").click()
    page.locator("details.why").evaluate("node => node.scrollIntoView()")


def search(page: Page) -> None:
    """A list of results with the answer on top."""
    page.goto(f"{page.url.split('#')[0]}?q=space+station+water")
    expect(page.locator("#overview .feedback")).to_be_visible()


def documents(page: Page) -> None:
    """The operator's view."""
    page.goto(f"{page.url.split('#')[0]}documents")
    expect(page.locator("#document-rows button").first).to_be_visible()
    expect(page.locator("#tiles")).to_contain_text("On disk")


def administration(page: Page) -> None:
    """The rules that answers are judged by."""
    page.goto(f"{page.url.split('#')[0]}admin")
    page.locator("#rules-tab").click()
    page.locator(".rule [role=switch]").nth(2).click()
    expect(page.locator(".rule.off")).to_be_visible()


def abstention(page: Page) -> None:
    """On a telephone: nothing answers, and what came near."""
    ask_page(page, "What is the capital of Peru?")


PICTURES: dict[str, tuple[Callable[[Page], None], bool, str]] = {
    "page": (answer, True, "light"),
    "why": (why, True, "dark"),
    "search": (search, True, "light"),
    "documents": (documents, True, "dark"),
    "administration": (administration, True, "light"),
    "telephone": (abstention, False, "light"),
}
"""By file name: what to show, whether on a wide window, in which appearance."""


if __name__ == "__main__":
    make(Path(sys.argv[1]))
