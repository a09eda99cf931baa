"""The official client: against `passerine mcp` as another assistant would start it, and against its tools."""

import asyncio
import shutil
import sys
from pathlib import Path
from typing import Any

from mcp import Client, StdioServerParameters

from service.mcp_server import make_server
from tests.serving import Served


def test_another_assistant_starts_it_and_searches(examples_home: Path, tmp_path: Path) -> None:
    # A home of its own: copying files of an index in this process drops SQLite's locks on it, so that a second process
    # on the same index would take itself for the only one.
    shutil.copytree(examples_home / "index", tmp_path / "index")
    (tmp_path / "models").symlink_to(examples_home / "models", target_is_directory=True)
    command = [sys.executable, "-m", "service.cli", "--home", str(tmp_path), "mcp"]
    server = StdioServerParameters(command=command[0], args=command[1:], cwd=Path(__file__).parent.parent)

    async def talk() -> tuple[list[str], Any, Any]:
        async with Client(server, read_timeout_seconds=120) as client:
            names = [tool.name for tool in (await client.list_tools()).tools]
            found = await client.call_tool("search", {"query": "Skylab launch", "k": 3})
            return names, found, await client.call_tool("ask", {"question": "  "})

    names, found, empty = asyncio.run(talk())
    assert names == ["search", "ask"]
    hits = found.structured_content["hits"]
    assert 1 <= len(hits) <= 3
    assert "Skylab" in hits[0]["document"]["title"]
    assert empty.is_error
    assert "empty" in empty.content[0].text


def test_another_assistant_asks(served: Served) -> None:
    async def talk() -> Any:
        async with Client(make_server(served.application)) as client:
            return await client.call_tool("ask", {"question": "When was Skylab launched?"})

    answer = asyncio.run(talk()).structured_content
    assert answer["verdict"] == "answered"
    assert "1973" in answer["text"]
    assert answer["citations"][0]["quote"]
