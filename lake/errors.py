"""Every error the lake raises on purpose, and the exit code it ends with.

LakeError                 1  failed, no use to retry
├── UsageError            2  a wrong command, setting or declaration
├── GateError             3  a quality gate stopped a publish
├── NothingToDo           4  nothing was new (only with --fail-on-empty)
├── LockedError           5  another run holds the lease
├── DoctorError           6  doctor found failures
├── FreshnessError        7  a freshness promise is broken
├── TemporaryError       75  retry later
├── SourceError           1  a source sent something that cannot be used
├── CorruptionError       1  an object of the lake is not what its manifest says
├── ConflictError         1  a compare-and-swap lost: somebody else wrote first
├── ExpiredError          1  the state of a table that was asked for is no longer kept
└── TimeLimitError        1  a question took longer than it may
"""


class LakeError(Exception):
    """Root of the tree; `exit_code` is what the command line ends with."""

    exit_code = 1


class UsageError(LakeError):
    """The command, a setting or a declaration is wrong; the message says which words are allowed."""

    exit_code = 2


class GateError(LakeError):
    """A check stopped the publish; the last good table stays served."""

    exit_code = 3


class NothingToDo(LakeError):
    """Nothing was new."""

    exit_code = 4


class LockedError(LakeError):
    """Another live run holds the lease, or this run lost the one it held."""

    exit_code = 5


class DoctorError(LakeError):
    """A probe failed."""

    exit_code = 6


class FreshnessError(LakeError):
    """A table is older than its declaration promises."""

    exit_code = 7


class TemporaryError(LakeError):
    """A server did not answer, is busy or out of space: the same command may succeed later."""

    exit_code = 75


class SourceError(LakeError):
    """A source answered with something that cannot be used; the message names source, address and what came."""


class CorruptionError(LakeError):
    """An object is missing, foreign, or its bytes differ from its manifest."""


class ConflictError(LakeError):
    """The object changed since it was read, or existed already."""


class ExpiredError(LakeError):
    """The snapshot that was asked for is no longer kept."""


class TimeLimitError(LakeError):
    """The question was given up because it took longer than it may."""
