"""Errors cross process boundaries and decide about retries."""

import pickle

import pytest

from include.drive_backup import errors


def every_class(base=errors.DriveBackupError):
    for each in base.__subclasses__():
        yield each
        yield from every_class(each)


def instance(cls):
    extra = {"service": "blob"} if cls is errors.ServiceUnavailableError else {}
    return cls("Do this.", reason="because", **extra)


CLASSES = [c for c in every_class() if c not in (errors.PermanentError, errors.TransientError)]


@pytest.mark.parametrize("cls", [c for c in CLASSES if c.__module__ == errors.__name__])
def test_every_error_survives_pickling_and_is_either_permanent_or_transient(cls):
    error = instance(cls)
    copy = pickle.loads(pickle.dumps(error))
    assert (type(copy), str(copy), copy.reason) == (cls, "Do this.", "because")
    assert copy.__dict__ == error.__dict__
    assert issubclass(cls, errors.PermanentError) != issubclass(cls, errors.TransientError)
    assert cls.__name__ in errors.__doc__
