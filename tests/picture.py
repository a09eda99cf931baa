"""The README's picture of the page: `make picture`. A real service answers, in a real browser."""

import shutil
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import Page, expect, sync_playwright

from indexing.refresh import refresh
from indexing.store import Index
from models.encoder import load_encoder
from service.app import EXAMPLES
from service.config import load
from tests.serving import running

ASKED = ("中国第一位进入太空的航天员是谁？", "What is the capital of Peru?", "How tall was the Saturn V?")
"""Each in a conversation of its own; the last one is shown."""
PATIENCE_MS = 30_000


def make(path: Path) -> None:
    """Writes the picture."""
    with tempfile.TemporaryDirectory(prefix="passerine-picture-") as folder:
        home, documents = Path(folder) / "home", Path(folder) / "documents"
        shutil.copytree(EXAMPLES, documents)
        home.mkdir()
        (home / "models").symlink_to(load().home / "models", target_is_directory=True)
        encoder = load_encoder("multilingual-e5-small", home)
        index = Index.create(home / "index", encoder)
        refresh([documents], index, encoder)
        index.close()
        with running(home) as served, sync_playwright() as playwright:
            browser = playwright.chromium.launch(
                executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-gpu"]
            )
            page = browser.new_page(viewport={"width": 1280, "height": 800}, locale="en-GB")
            show(page, served.url)
            page.screenshot(path=path)
            browser.close()


def show(page: Page, url: str) -> None:
    """Asks, and opens the first citation of the last answer."""
    page.set_default_timeout(PATIENCE_MS)
    for question in ASKED:
        page.goto(url)
        page.locator("#question").fill(question)
        page.locator("#question").press("Enter")
        expect(page.locator("#send")).to_be_visible(timeout=PATIENCE_MS)
    page.locator(".answer .cite").first.click()
    expect(page.locator("#source mark")).to_be_visible()


if __name__ == "__main__":
    make(Path(sys.argv[1]))
