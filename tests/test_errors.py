"""One shape of error, whatever went wrong."""

import errno

import pytest
from sqlalchemy.exc import OperationalError

from indexing.types import BadInput, Cancelled, PasserineError, StorageFailed, TooLarge
from service.errors import ServerFailed, did_you_mean, explain, new_request_id, shape


def test_named_errors_stay_as_they_are() -> None:
    error = BadInput("Wrong.", "Do it right.")
    assert explain(error) is error


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (OSError(errno.ENOSPC, "No space left on device", "/data/x"), StorageFailed),
        (OSError(errno.EROFS, "Read-only file system"), StorageFailed),
        (PermissionError(errno.EACCES, "Permission denied", "/data/x"), StorageFailed),
        (FileNotFoundError(errno.ENOENT, "No such file", "/data/x"), BadInput),
        (OperationalError("INSERT", {}, Exception("database or disk is full")), StorageFailed),
        (OperationalError("SELECT", {}, Exception("file is not a database")), StorageFailed),
        (MemoryError(), TooLarge),
        (KeyboardInterrupt(), Cancelled),
        (ZeroDivisionError("secret detail"), ServerFailed),
    ],
)
def test_other_errors_become_a_sentence_with_a_hint(error: BaseException, kind: type[PasserineError]) -> None:
    plain = explain(error)
    assert isinstance(plain, kind)
    assert plain.message.endswith(".")
    assert plain.hint
    assert "secret detail" not in str(plain)


def test_shape_is_one() -> None:
    request_id = new_request_id()
    assert shape(BadInput("Wrong.", "Right."), request_id) == {
        "error": {"code": "bad_input", "message": "Wrong.", "hint": "Right.", "request_id": request_id}
    }


def test_every_error_has_its_own_code_and_an_error_status() -> None:
    def family(kind: type[PasserineError]) -> list[type[PasserineError]]:
        return [kind, *(member for child in kind.__subclasses__() for member in family(child))]

    # A kind without a code of its own only tells apart, inside its module, what is one error to everybody else.
    kinds = [
        kind for kind in family(PasserineError) if kind.__module__.split(".")[0] != "tests" and "code" in vars(kind)
    ]
    codes = [kind.code for kind in kinds]
    assert len(set(codes)) == len(codes)
    assert all(400 <= kind.status < 600 for kind in kinds)


def test_nearest_word_is_only_named_when_it_is_near() -> None:
    assert "'port'" in did_you_mean("prot", ["port", "host"])
    assert did_you_mean("xylophone", ["port", "host"]) == ""
