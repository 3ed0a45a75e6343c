"""How a command ends: its exit status, and errors in words."""

import os
import sys
import traceback
from collections.abc import Callable


def with_training(run: Callable[[], None], debug: bool) -> int:
    """Runs what needs Keras and TensorFlow; errors that a user can mend are told in words."""
    import zoo  # Not before it is needed: it loads numpy.

    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # TensorFlow greets on stderr.
    try:
        run()
    except ModuleNotFoundError as error:
        return fail(f"{error.name} is not installed; training needs `pip install 'hanzoo[train]'`", debug)
    except zoo.UnknownNameError as error:
        return wrong_option(str(error))
    except (ValueError, OSError, RuntimeError, ImportError) as error:
        return fail(str(error), debug)
    return 0


def wrong_option(message: str) -> int:
    print(f"hanzoo: {message}", file=sys.stderr)
    return 2


def fail(message: str, debug: bool) -> int:
    """Says what failed; `debug` adds the traceback of the exception that is being handled."""
    if debug:
        traceback.print_exc()
    print(f"hanzoo: {message}", file=sys.stderr)
    return 1
