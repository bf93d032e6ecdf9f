"""Why stored bytes do not become a value, in words of ours."""

import pickle
import re
import struct

from xxhash import xxh3_128_digest

from ezpyp.errors import CodecError, DamagedResultError
from ezpyp.store.codecs import layout
from ezpyp.store.codecs.pickle import script_in
from ezpyp.store.codecs.protocol import reason_of

_LOST_NAME = re.compile(r"Can't get attribute '(.+?)' on <module '(.+?)'")


def loading_error(error: Exception, codec_name: str, data: memoryview) -> CodecError | DamagedResultError:
    """The error to raise in place of whatever a codec's ``decode`` raised."""
    lost = _LOST_NAME.search(str(error))
    if isinstance(error, AttributeError) and lost:
        return _lost_name(lost[1], lost[2], data)
    if isinstance(error, ImportError):
        return CodecError(
            f"the stored result needs a module that cannot be imported here ({reason_of(error)}); "
            "install it, or put its folder on sys.path, and load again",
            reason=reason_of(error),
        )
    if _is_damage(error):
        return DamagedResultError(
            f"what is stored is not what the codec {codec_name!r} wrote ({reason_of(error)}); "
            "run the pipeline again to compute the result anew",
            digest=xxh3_128_digest(data).hex(),
            reason="content",
        )
    return CodecError(
        f"the stored result is whole, but its value cannot be built here: {type(error).__name__}: {reason_of(error)}",
        reason=reason_of(error),
    )


def _lost_name(name: str, module: str, data: memoryview) -> CodecError:
    if module == "__main__":
        script = script_in(layout.stream_of(data))
        where = f"{name!r} of {script} (module __main__), and this is another one"
        cure = (
            f"load it from that script; or move {name!r} into a module that both import, or use the codec "
            "'cloudpickle', and run the step again"
        )
    else:
        where = f"{name!r} of the module {module!r}, which has it no longer"
        cure = "load it with the version of the module that stored it, or run the step again"
    return CodecError(f"the stored result refers to {where}; {cure}", name=name, module=module)


def _is_damage(error: Exception) -> bool:
    if isinstance(error, pickle.UnpicklingError | EOFError | struct.error | UnicodeDecodeError):
        return True
    # A ValueError out of a class's own __setstate__ is no damage: the step would be run again for nothing.
    return isinstance(error, ValueError | SyntaxError) and _raised_in(error).split(".")[0] in (
        "ezpyp",
        "json",
        "ast",
    )


def _raised_in(error: Exception) -> str:
    """Name of the module whose code raised; C code counts as its caller's."""
    traceback = error.__traceback__
    while traceback is not None and traceback.tb_next is not None:
        traceback = traceback.tb_next
    return "" if traceback is None else str(traceback.tb_frame.f_globals.get("__name__", ""))
