"""Two processes that train one model together take the steps that one alone takes."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import nn

from models.processes import Processes, processes
from tests.launched import trained
from tests.test_train_ppo import adapter  # noqa: F401 - a fixture
from tests.test_train_sft import base  # noqa: F401 - a fixture


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def test_two_processes_learn_what_one_learns(base: Path, adapter: Path, tmp_path: Path) -> None:  # noqa: F811
    launch = [sys.executable, "-m", "torch.distributed.run", "--nproc_per_node", "2", "--master_port", str(free_port())]
    launch += ["-m", "tests.launched", str(base), str(adapter), str(tmp_path)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(launch, env=environment, capture_output=True, text=True, timeout=110)
    assert done.returncode == 0, done.stderr[-2000:]
    first, second = (torch.load(tmp_path / f"{rank}.pt", weights_only=True) for rank in (0, 1))
    assert first["count"] == 2
    assert first["shared"] == second["shared"] == [0, 1, 2, 3, 4], "in the order that they were shared out"
    alone = trained(base, adapter, tmp_path / "alone", Processes())
    for name, weights in alone.items():
        for one, two, own in zip(first["weights"][name], second["weights"][name], weights, strict=True):
            assert torch.equal(one, two), "both processes hold the same model"
            assert torch.allclose(one, own, atol=2e-3), (name, float((one - own).abs().max()))


def test_one_process_alone_shares_nothing() -> None:
    alone = processes("cpu")
    parameter = nn.Parameter(torch.ones(2))
    alone.add_gradients([parameter])
    assert parameter.grad is None
    assert (alone.first, alone.count, alone.device.type) == (True, 1, "cpu")
    assert alone.mine("abc") == alone.gathered(list("abc")) == ["a", "b", "c"]
    assert alone.part(torch.arange(3)).tolist() == [0, 1, 2]
    assert alone.sums(1.0, 2.0) == [1.0, 2.0]
    alone.wait()


@pytest.mark.parametrize(("count", "parts"), [(2, [[0, 1], [2]]), (4, [[0], [1], [2], []])])
def test_a_part_is_a_run_of_neighbours(count: int, parts: list[list[int]]) -> None:
    found = []
    for rank in range(count):
        one = Processes()
        one.rank, one.count = rank, count
        found.append(one.part(torch.arange(3)).tolist())
    assert found == parts
