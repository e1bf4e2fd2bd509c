"""Where things are: imports what the end-to-end tests have (a server, DICOM and web clients)."""
import os
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
sys.path[:0] = [os.path.join(ROOT, "tests", "e2e"), os.path.join(ROOT, "tools")]
import prepare  # noqa: E402


def begin(usage):
    """Before anything that reads GALENA_BUILD: without it, a build of our own is made."""
    if {"-h", "--help"} & set(sys.argv):
        print(usage)
        sys.exit(0)
    if "GALENA_BUILD" not in os.environ:
        prepare.packages("build", "test")
        os.environ["GALENA_BUILD"] = os.path.join(ROOT, "build")
        prepare.build(os.environ["GALENA_BUILD"], "--buildtype=release")
