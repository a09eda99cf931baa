"""Each worker keeps to one core and leaves everybody else's share as it was."""

import threading

import pytest
import torch

from models.workers import Workers


def test_workers_use_one_core_each_and_leave_others_alone() -> None:
    before = torch.get_num_threads()
    workers = Workers(3)
    assert set(workers.map(lambda _: torch.get_num_threads(), range(9))) == {1}
    assert torch.get_num_threads() == before
    later: list[int] = []
    thread = threading.Thread(target=lambda: later.append(torch.get_num_threads()))
    thread.start()
    thread.join()
    assert later == [before]


def test_results_come_in_the_order_of_the_items() -> None:
    assert Workers(2).map(lambda number: number * 2, range(20)) == list(range(0, 40, 2))


def test_an_error_of_one_item_is_raised() -> None:
    with pytest.raises(ZeroDivisionError):
        Workers(2).map(lambda number: 1 // number, [1, 0])
