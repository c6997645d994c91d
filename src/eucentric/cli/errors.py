"""What can be expected to go wrong, and is told in one line instead of a traceback."""


class CommandFailed(RuntimeError):
    """A command could not do what was asked; the message says why and how to mend it."""


def told(error: BaseException) -> str | None:
    """Return what to tell of an expected error; None for one that is a fault of the program."""
    # Imported here, since every command would otherwise load all of this.
    from pydantic import ValidationError

    from eucentric.engine.cluster import ClusterError
    from eucentric.engine.lease import LeaseLost, SessionBusy
    from eucentric.engine.overview import NoSuchRun
    from eucentric.engine.ports import ContractBroken
    from eucentric.engine.recompute import NoSuchResult
    from eucentric.engine.sessions import NoSuchSession, SessionExists
    from eucentric.engine.workflow import WorkflowError
    from eucentric.formats import FormatError
    from eucentric.interop import NotHarvested
    from eucentric.microscope.describe import NotDescribed
    from eucentric.monitors.alarms import NoSuchAlarm
    from eucentric.publish.description import DescriptionWrong
    from eucentric.publish.package import PackageExists
    from eucentric.store import SiteError, StoreError
    from eucentric.techniques.workflows import NoSuchWorkflow

    if isinstance(error, NotDescribed):
        # What the option is called, where the message names the field.
        return str(error).replace("give it as pixel_size", "give it as --pixel-size")
    if isinstance(error, ValidationError):
        return " ".join(sentence(problem["loc"], problem["msg"]) for problem in error.errors())
    if isinstance(error, OSError):
        named = error.strerror and error.filename
        return f"{error.filename}: {error.strerror}." if named else " ".join(str(error).split())
    expected = (
        CommandFailed,
        ClusterError,
        ContractBroken,
        DescriptionWrong,
        FormatError,
        LeaseLost,
        NoSuchAlarm,
        NoSuchResult,
        NoSuchRun,
        NoSuchSession,
        NoSuchWorkflow,
        NotHarvested,
        PackageExists,
        SessionBusy,
        SessionExists,
        SiteError,
        StoreError,
        WorkflowError,
    )
    return " ".join(str(error).split()) if isinstance(error, expected) else None


def sentence(place: tuple[int | str, ...], message: str) -> str:
    """Return what pydantic says of one value as a sentence that names the value."""
    name = ".".join(str(part) for part in place)
    message = message.removeprefix("Value error, ")
    return f"{name}: {message}." if name else f"{message}."
