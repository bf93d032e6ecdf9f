"""What counts of things that a walk met only because of code that it met: asked for by name at run time."""

from types import FunctionType

from ezpyp.hashing._code import canonical
from ezpyp.hashing._framing import count, digest, tag, text
from ezpyp.hashing._functions import noted
from ezpyp.hashing._hung import hung
from ezpyp.hashing._looks import fact
from ezpyp.hashing._walk import Children, Walker

_LOOKS = tag("looks")
_HUNG = tag("hung")


def walk_rest(w: Walker) -> Children:
    """Walk what is hung on libraries' classes, then what code asks of the functions and classes that were met."""
    w.in_code += 1
    done: set[tuple[str, int]] = set()
    # Either may lead to more code, which may ask for more.
    while not done.issuperset(_pending(w)):
        yield from _hung_on_classes(w, done)
        for look in sorted(w.looks):
            things = [thing for thing in w.things.values() if (look, id(thing)) not in done]
            done.update((look, id(thing)) for thing in things)
            yield from _looked_at(w, look, sorted(things, key=_order))
    w.in_code -= 1


def _pending(w: Walker) -> set[tuple[str, int]]:
    names = {(name, id(kind)) for kind in w.kinds.values() for name, _ in hung(kind, w.attributes, w.policy)}
    return names | {(look, thing) for look in w.looks for thing in w.things}


def _hung_on_classes(w: Walker, done: set[tuple[str, int]]) -> Children:
    found = []
    for kind in w.kinds.values():
        for name, value in hung(kind, w.attributes, w.policy):
            if (name, id(kind)) not in done:
                done.add((name, id(kind)))
                found.append((f"{kind.__module__}.{kind.__qualname__}.{name}", value))
    for name, value in sorted(found, key=lambda pair: pair[0]):
        w.emit(_HUNG + text(name))
        yield from noted(w, "global", name, ("", 0), value)


def _order(thing: object) -> tuple[str, ...]:
    """Return what puts functions and classes in an order that does not depend on where a walk met them."""
    names = (thing.__qualname__, thing.__module__ or "") if isinstance(thing, FunctionType | type) else ()
    code = canonical(thing.__code__).digest.hex() if isinstance(thing, FunctionType) else ""
    return (code, *names)


def _looked_at(w: Walker, look: str, things: list[object]) -> Children:
    parts = []
    for thing in things:
        code = getattr(thing, "__code__", None)
        outer = w.begin()
        w.emit(canonical(code).digest if code is not None else b"")
        value = fact(thing, look)
        w.keep.append(value)
        name = f"{getattr(thing, '__qualname__', '')}.{look}"
        yield from noted(w, "global", name, (code.co_filename, code.co_firstlineno) if code else ("", 0), value)
        parts.append(digest(w.end(outer)))
    if parts:
        w.emit(_LOOKS + text(look) + count(len(parts)) + b"".join(sorted(parts)))
