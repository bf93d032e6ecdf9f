"""``lineage``: all that a step was made from, and all that was made from it, and nothing else."""

from tests.inspect import build


def chains(folder) -> build.Cache:
    """a -> b -> c -> d, and x -> d for the order only; e is on its own, and gone is not of the newest revision."""
    cache = build.Cache(folder)
    above = {"a": [], "x": [], "e": [], "b": ["a"], "c": ["b"], "d": ["c"], "gone": ["c"]}
    for phase, (name, needs) in enumerate(above.items()):
        upstream = [(need, "value", "args[0]") for need in needs] + [("x", "order", "")] * (name == "d")
        cache.step(name, phase=phase, upstream=upstream)
    cache.revision(added=list(cache.ids.values()))
    cache.revision(removed=[cache.ids["gone"]], note="gone is left out")
    return cache


def ends(answer) -> list[tuple[object, ...]]:
    return [(row["direction"], row["depth"], row["from"], row["to"], row["kind"]) for row in answer.rows]


def test_both_directions_to_their_ends(tmp_path, ask):
    folder = chains(tmp_path).close()

    assert ends(ask(folder, "lineage", "b", "--format", "json")) == [
        ("up", 1, "a", "b", "value"), ("down", 1, "b", "c", "value"), ("down", 2, "c", "d", "value"),
    ]  # fmt: skip
    assert ends(ask(folder, "lineage", "d", "--up", "--format", "json")) == [
        ("up", 1, "c", "d", "value"), ("up", 1, "x", "d", "order"), ("up", 2, "b", "c", "value"),
        ("up", 3, "a", "b", "value"),
    ]  # fmt: skip
    assert ends(ask(folder, "lineage", "e", "--format", "json")) == []


def test_as_text(tmp_path, ask):
    folder = chains(tmp_path).close()

    assert ask(folder, "lineage", "c").lines == [
        "c  (pending)",
        "  <- b  (pending, args[0])",
        "    <- a  (pending, args[0])",
        "  -> d  (pending, args[0])",
    ]
    assert ask(folder, "lineage", "x", "--down").lines == ["x  (pending)", "  -> d  (pending, order only)"]


def test_a_chain_of_10_000_steps(tmp_path, ask):
    cache = build.Cache(tmp_path)
    cache.db.execute("BEGIN")
    for x in range(10_000):
        cache.step(f"f[x={x}]", phase=x, upstream=[(f"f[x={x - 1}]", "value", "args[0]")] if x else [])
    cache.revision(added=list(cache.ids.values()))
    cache.db.execute("COMMIT")
    folder = cache.close()

    assert len(ask(folder, "lineage", "f[x=0]", "--down", "--format", "json").rows) == 9_999
    assert ask(folder, "lineage", "f[x=9999]").lines[-1].strip() == "<- and so on (--format json has all)"


def test_many_ways_between_two_steps_are_gone_once(tmp_path, ask):
    cache, width, depth = build.Cache(tmp_path), 10, 12
    cache.db.execute("BEGIN")
    for phase in range(depth):
        needs = [(f"f[p={phase - 1},x={x}]", "value", "args[0]") for x in range(width)] if phase else []
        for x in range(width):
            cache.step(f"f[p={phase},x={x}]", phase=phase, upstream=needs)
    cache.revision(added=list(cache.ids.values()))
    cache.db.execute("COMMIT")
    folder = cache.close()

    for name, way in (("f[p=0,x=0]", "--down"), (f"f[p={depth - 1},x=0]", "--up")):
        rows = ask(folder, "lineage", name, way, "--format", "json").rows
        assert len(rows) == width + (depth - 2) * width * width
