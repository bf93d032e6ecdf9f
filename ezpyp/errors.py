"""Every error that ezpyp raises, drawn as a tree.

::

    EzpypError
    ├── DeclarationError (TypeError)            a step declared in a way that cannot mean anything
    │   └── DuplicateNameError (ValueError)     two different functions, or two steps, of one name
    ├── OptionError (ValueError)                an option with a value that it cannot have
    ├── NotEvaluatedError (TypeError)           a Step or PlaceHolder used as if it were its value
    ├── InitializationError (RuntimeError)      the right call at the wrong moment
    ├── UnhashableValueError (TypeError)        an argument without stable content
    ├── StateChangedError (RuntimeError)        code or a global changed between freezing and running
    │   └── ArgumentMutatedError                an argument changed in place after the call
    ├── UnknownStepError (LookupError)          no step, or several, of the name asked for
    ├── ResultUnavailableError (RuntimeError)   a result asked for that is not there
    │   ├── StepFailedError                     the step raised; the traceback is recorded
    │   ├── StepSkippedError                    something that the step needs failed
    │   └── StepPendingError                    the step has not run
    ├── PipelineFailedError (RuntimeError)      ``execute(check=True)`` and a step failed
    ├── SchemaConflictError (ValueError)        a name that has a result would change its meaning
    │   └── PipelineMismatchError               the location belongs to another pipeline id
    ├── StoreError (OSError)                    the location cannot be used, or not as asked
    │   ├── CacheNotFoundError                  no cache there
    │   ├── CacheBusyError                      another job holds the location
    │   ├── CacheFormatError                    not a cache this version reads
    │   │   └── DamagedIndexError               the index is not as it was written
    │   ├── UntrustedCacheError                 somebody else could have written the pickles
    │   └── DamagedResultError                  what is stored is not what was stored
    ├── CodecError (ValueError)                 a result cannot become bytes, or bytes a result
    │   ├── UnknownCodecError                   no codec of that name
    │   └── UnstorableResultError               no codec can store the result
    └── ParallelError (RuntimeError)            ranks cannot work together
        ├── LaunchError                         launcher and MPI library do not fit
        ├── RanksDisagreeError                  ranks declared different steps
        └── RankLeftError                       a rank ended while others still needed it
"""


class EzpypError(Exception):
    """Base of all errors of ezpyp.

    Args:
        message: What happened, with which value, and what to do next.
        **facts: The same facts as attributes, for programs.

    Example:
        >>> error = StepFailedError("alpha failed", step="alpha")
        >>> error.step
        'alpha'
    """

    def __init__(self, message: str, **facts: object) -> None:
        super().__init__(message)
        # Facts live in __dict__, which pickling carries: an error keeps them on its way between ranks.
        vars(self).update(facts)

    def __str__(self) -> str:
        # LookupError's own __str__ would show the repr of the message.
        return str(self.args[0]) if self.args else ""


class DeclarationError(EzpypError, TypeError):
    """A step is declared in a way that cannot mean anything."""


class DuplicateNameError(DeclarationError, ValueError):
    """Two different functions, or two different steps, would have one name."""


class OptionError(EzpypError, ValueError):
    """An option was given a value that it cannot have."""


class NotEvaluatedError(EzpypError, TypeError):
    """A Step or PlaceHolder was used as if it were its value."""


class InitializationError(EzpypError, RuntimeError):
    """The right call at the wrong moment: before freezing, or while frozen."""


class UnhashableValueError(EzpypError, TypeError):
    """A value has no stable content to hash.

    Attributes:
        path: Where the value stands, such as ``args[1].model.w``.
        type_name: Qualified name of its type.
    """

    path: str
    type_name: str


class StateChangedError(EzpypError, RuntimeError):
    """Code, or a global that it reads, changed between freezing and running."""


class ArgumentMutatedError(StateChangedError):
    """A mutable argument changed in place after the step was declared."""


class UnknownStepError(EzpypError, LookupError):
    """No step, or more than one, answers to a name.

    Attributes:
        name: The name that was asked for.
        candidates: Names that were meant perhaps; at most ten.
    """

    name: str
    candidates: tuple[str, ...]


class ResultUnavailableError(EzpypError, RuntimeError):
    """A result was asked for that is not there.

    Attributes:
        step: Name of the step.
    """

    step: str


class StepFailedError(ResultUnavailableError):
    """The step raised; the message holds the recorded traceback."""


class StepSkippedError(ResultUnavailableError):
    """The step was skipped, because something that it needs failed."""


class StepPendingError(ResultUnavailableError):
    """The step has not run."""


class PipelineFailedError(EzpypError, RuntimeError):
    """At least one step failed in a run that was to be checked.

    Attributes:
        failed: Names of the steps that failed.
    """

    failed: tuple[str, ...]


class SchemaConflictError(EzpypError, ValueError):
    """A name that has a result would change its meaning.

    Attributes:
        changed: Names of the steps in conflict.
    """

    changed: tuple[str, ...]


class PipelineMismatchError(SchemaConflictError):
    """The location belongs to another pipeline id."""


class StoreError(EzpypError, OSError):
    """The location cannot be used, or not in the way that was asked."""


class CacheNotFoundError(StoreError, FileNotFoundError):
    """There is no cache at the location."""


class CacheBusyError(StoreError):
    """Another job holds the location."""


class CacheFormatError(StoreError):
    """The index is not one that this version of ezpyp reads."""


class DamagedIndexError(CacheFormatError):
    """The index is not as it was written: SQLite says so, or its rows do."""


class UntrustedCacheError(StoreError, PermissionError):
    """Somebody else could have written what would be unpickled."""


class DamagedResultError(StoreError):
    """What is stored is not what was stored.

    Attributes:
        digest: Digest of the object, 32 hex characters.
        what: What is wrong with it, in words.
    """

    digest: str
    what: str = "it is not what was stored"


class FileChangedError(EzpypError, OSError):
    """A file that a step made was changed since, and what it holds now is kept nowhere else."""


class FileConflictError(EzpypError, ValueError):
    """Two steps of a pipeline name one path, each with another content."""


class CodecError(EzpypError, ValueError):
    """A result cannot become bytes, or bytes cannot become a result."""


class UnknownCodecError(CodecError, LookupError):
    """No codec of that name is registered."""


class UnstorableResultError(CodecError):
    """No codec can store the result."""


class ParallelError(EzpypError, RuntimeError):
    """The ranks of an MPI job cannot work together."""


class LaunchError(ParallelError):
    """The launcher and the MPI library do not fit together."""


class RanksDisagreeError(ParallelError):
    """Ranks declared different steps, or use different options."""


class RankLeftError(ParallelError):
    """A rank ended while others still needed it.

    Attributes:
        ranks: The ranks that left.
    """

    ranks: tuple[int, ...]
