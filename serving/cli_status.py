"""How a command ends: its exit status, and errors in words."""

import contextlib
import errno
import os
import sys
import traceback
from collections.abc import Callable

_IN_WORDS = {
    errno.ENOENT: "there is no such file or folder; check the path",
    errno.EEXIST: "this is a file, and a folder must stand here; name another folder",
    errno.ENOTDIR: "a part of this path is a file, and must be a folder; check the path",
    errno.EISDIR: "this is a folder, and a file must stand here; name a file",
    errno.EACCES: "you may not read or write this; change its permissions, or name another place",
}
"""What errors of the system mean for a path that a user gave."""


def with_training(run: Callable[[], None], debug: bool) -> int:
    """Runs what needs Keras and TensorFlow; errors that a user can mend are told in words."""
    import zoo  # Not before it is needed: it loads numpy.

    _load_quietly()
    try:
        run()
    except ModuleNotFoundError as error:
        return fail(
            f"{error.name} is not installed; training needs `pip install -e '.[train]'` in the clone of hanzoo",
            debug,
        )
    except zoo.UnknownNameError as error:
        return wrong_option(str(error))
    except OSError as error:
        return fail(of_system(error), debug)
    except (ValueError, RuntimeError, ImportError) as error:
        return fail(str(error), debug)
    return 0


def _load_quietly() -> None:
    """Loads Keras and TensorFlow without their greetings on stderr, if they are there."""
    from serving import runtime

    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    # On processors with AVX-512, TensorFlow speaks of oneDNN while it is loaded, whatever the level.
    with runtime.without_native_messages(), contextlib.suppress(ImportError):
        import keras  # noqa: F401


def of_system(error: OSError) -> str:
    """What the system says of a file or folder, in words: its name, what is wrong, and what to do."""
    if error.filename is None or error.errno is None:
        return str(error)
    bare = error.strerror == os.strerror(error.errno)  # Nobody has said more than the system.
    said = _IN_WORDS.get(error.errno, error.strerror) if bare else error.strerror
    return f"{error.filename}: {said}"


def wrong_option(message: str) -> int:
    print(f"hanzoo: {message}", file=sys.stderr)
    return 2


def fail(message: str, debug: bool) -> int:
    """Says what failed; `debug` adds the traceback of the exception that is being handled."""
    if debug:
        traceback.print_exc()
    print(f"hanzoo: {message}", file=sys.stderr)
    return 1
