"""The command: what it prints, what it says when something is wrong, and how it stops."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from typer.testing import CliRunner

from service.cli import build_cli
from tests.serving import Served

ROOT = Path(__file__).parent.parent


def run(*arguments: object) -> tuple[int, str, str]:
    """(exit status, stdout, stderr) of a command in this process."""
    done = CliRunner().invoke(build_cli(), [str(argument) for argument in arguments])
    return done.exit_code, done.stdout, done.stderr


def plain(text: str) -> str:
    return re.sub(r"\x1b\[[0-9;]*m", "", text)


def test_help_names_every_command() -> None:
    status, out, _ = run("--help")
    assert status == 0
    for name in [
        "serve",
        "ask",
        "search",
        "refresh",
        "source",
        "status",
        "models",
        "doctor",
        "evaluate",
        "train",
        "feedback",
        "key",
        "rules",
    ]:
        assert re.search(rf"\b{name}\b", out), name


def test_it_says_which_version_it_is() -> None:
    from importlib.metadata import version

    assert run("--version") == (0, f"passerine {version('passerine')}\n", "")


@pytest.mark.parametrize(
    "arguments",
    [
        ("ask",),
        ("nothing",),
        ("search", "x", "-k", "many"),
        ("source", "add"),
        ("source", "add", "x", "--kind", "pages"),
        ("--set", "prot=1", "status"),
        ("evaluate", "x"),
    ],
)
def test_wrong_usage_exits_with_two(arguments: tuple[str, ...]) -> None:
    status, _, err = run(*arguments)
    assert status == 2
    assert "Traceback" not in err


def test_a_misspelt_setting_names_the_nearest(tmp_path: Path) -> None:
    _, _, err = run("--home", tmp_path, "--set", "prot=1", "status")
    assert "'port'" in plain(err)


def test_settings_are_printed_with_their_origin(tmp_path: Path) -> None:
    status, out, _ = run("--home", tmp_path, "--set", "nearest=7", "status", "--settings")
    assert status == 0
    assert re.search(r"nearest\s+7\s+option", out)
    assert re.search(r"port\s+8000\s+default", out)


def test_status_of_an_empty_home(tmp_path: Path) -> None:
    status, out, _ = run("--home", tmp_path, "status")
    assert status == 0
    assert "none yet" in out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("search", "x"), "passerine models install"),
        (("ask", "x"), "passerine models install"),
        (("serve", "--docs", "no-such-folder"), "no-such-folder"),
        (("serve", "--host", "0.0.0.0"), "passerine key add"),
        (("serve", "--host", "0.0.0.0"), "--insecure-listen"),
        (("train", "no-such-head", "--data", "."), "reader"),
        (("evaluate", "retrieval", "--data", "no-such-folder"), "--data"),
        (("models", "install", "no-such-model"), "multilingual-e5-small"),
    ],
)
def test_a_failure_is_one_sentence_with_a_hint(tmp_path: Path, arguments: tuple[str, ...], said: str) -> None:
    status, out, err = run("--home", tmp_path, *arguments)
    assert status == 1
    assert said in plain(err)
    assert "Traceback" not in err
    assert out == ""


def test_a_port_in_use_names_the_next_free_one(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        status, _, err = run("--home", tmp_path, "serve", "--port", port)
    assert status == 1
    assert f"Port {port}" in plain(err)
    assert re.search(r"--port \d+, which is free", plain(err))


def test_search_and_ask_print_for_people_and_for_programs(examples_home: Path, served: Served) -> None:
    del served  # its models are loaded by now, so that the disk is warm
    status, out, _ = run("--home", examples_home, "search", "human spaceflight", "-k", 2, "--json")
    assert status == 0
    assert len(json.loads(out)["hits"]) == 2
    status, out, _ = run("--home", examples_home, "ask", "When was Skylab launched?")
    assert status == 0
    assert "1973" in out
    assert "[1]" in out
    status, out, _ = run("--home", examples_home, "ask", "Where did it come down?", "--conversation", "last", "--json")
    assert status == 0
    answer = json.loads(out)
    assert len(answer["candidates"]) == len(answer["judgements"])
    status, out, err = run("--home", examples_home, "ask", " ")
    assert (status, "empty" in plain(err)) == (1, True)


def test_refresh_says_what_it_did(examples_home: Path, tmp_path: Path) -> None:
    folder = tmp_path / "documents"
    folder.mkdir()
    (folder / "a.md").write_text("# Pond\n\nThe heron waits by the pond for hours.\n")
    (folder / "b.pdf").write_bytes(b"%PDF-1.4 broken")
    (folder / "c.pptx").write_bytes(b"slides")
    home = tmp_path / "home"
    home.mkdir()
    (home / "models").symlink_to(examples_home / "models")
    status, out, err = run("--home", home, "refresh", folder, "--dry-run")
    assert (status, out.strip()) == (3, "would be: 1 added, 0 changed, 0 removed, 0 same, 1 failed, 1 skipped (.pptx)")
    status, out, err = run("--home", home, "refresh", folder)
    assert (status, out.strip()) == (3, "1 added, 0 changed, 0 removed, 0 same, 1 failed, 1 skipped (.pptx)")
    assert "b.pdf" in err
    status, out, _ = run("--home", home, "refresh", folder)
    assert out.strip() == "0 added, 0 changed, 0 removed, 1 same, 1 failed, 1 skipped (.pptx)"
    status, out, _ = run("--home", home, "status")
    assert re.search(r"documents\s+1 in 1 passages", out)
    status, out, _ = run("--home", home, "refresh", "--rebuild")
    assert status == 0


def test_feedback_is_exported_as_json_lines(examples_home: Path, tmp_path: Path) -> None:
    file = tmp_path / "feedback.jsonl"
    status, _, err = run("--home", examples_home, "feedback", "export", file, "--all")
    assert status == 0
    rows = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    assert f"{len(rows)} rows" in err


def test_rules_are_listed(tmp_path: Path) -> None:
    status, out, _ = run("--home", tmp_path, "rules")
    assert status == 0
    assert out.count("(") >= 23


def test_ctrl_c_leaves_a_usable_index(examples_home: Path, tmp_path: Path) -> None:
    home, folder = tmp_path / "home", tmp_path / "documents"
    home.mkdir()
    folder.mkdir()
    (home / "models").symlink_to(examples_home / "models")
    for number in range(400):
        text = "\n\n".join(f"Sentence {line} of document {number} tells of bird {number * line}." for line in range(6))
        (folder / f"{number:03}.md").write_text(f"# Bird {number}\n\n{text}\n")
    command = [sys.executable, "-m", "service.cli", "--home", str(home), "refresh", str(folder)]
    process = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, env={**os.environ, "TERM": "dumb"})
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and not list(home.glob("index/segments/*.seg")):
        time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130, err.decode()
    assert b"Traceback" not in err
    status, out, _ = run("--home", home, "search", "bird", "-k", 1, "--json")
    assert status == 0
    assert json.loads(out)["hits"]
