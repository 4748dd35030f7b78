"""A build killed at any of its effects and run again gives the tables that an undisturbed one gives."""

import json
import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import cycle
from pathlib import Path

from local.processes import wait_until
from tests.spark.conftest import Lab
from tests.spark.drivers import build, ended, places, started, steps


def killed_and_built_again(lab: Lab, killed: dict[str, str]) -> None:
    """Kill the build of each source at its place, two at a time, then build them all."""
    cases = list(killed.items())
    for some in (cases[n : n + 2] for n in range(0, len(cases), 2)):
        drivers = [started(lab, build(name), place) for name, place in some]
        assert [ended(driver) for driver in drivers] == [-signal.SIGKILL] * len(some)
    records = lab.build(lab.plan(*killed))
    assert [record for record in records.values() if record["outcome"] == "failed"] == []


def load_of(name: str) -> str:
    """How the rows of a source come, by its name."""
    return next((load for load in ("append", "merge") if name.startswith(load)), "snapshot")


def answer(name: str, version: int) -> list[tuple[int, int]]:
    """Key and price of the source's rows: a snapshot's change their price, the others come beside those there are."""
    return [(key if load_of(name) == "snapshot" else 10 * version + key, version) for key in (1, 2, 3)]


def served(name: str, version: int) -> list[tuple[int, int]]:
    """What the table must hold."""
    versions = range(version if load_of(name) == "snapshot" else 1, version + 1)
    return [row for each in versions for row in answer(name, each)]


def offer(lab: Lab, version: int, *names: str) -> None:
    """The sources' new answer in raw, and one row that is rejected."""
    for name in names:
        lab.declare(name, {"id": "bigint", "price": "decimal(10,2)"}, load=load_of(name))
        rows = [{"id": key, "price": price} for key, price in answer(name, version)]
        lab.serve(name, [*rows, {"id": "x", "price": version}])
    lab.pull(*names)


def check(lab: Lab, version: int, *names: str) -> None:
    """Each table holds what it must, its rejected row stands in quarantine once, and nothing is left over."""
    union = " union all ".join(f"select '{name}', id, cast(price as int) from lake.trusted.{name}" for name in names)
    assert sorted(map(tuple, lab.spark.sql(union).collect())) == sorted((n, *row) for n in names for row in served(n, version))
    union = " union all ".join(f"select '{name}', _run_id from lake.quarantine.{name}" for name in names)
    rejected = sorted(map(tuple, lab.spark.sql(union).collect()))
    assert len(rejected) == len(set(rejected))
    for name in names:
        published = lab.tables.publications(f"trusted.{name}")
        assert (name, published[0].inputs[name]["run"]) in rejected
        assert len({p.inputs[name]["seq"] for p in published}) == len(published)
        assert lab.leftovers(name) == set()


def test_a_build_may_die_at_every_effect_while_others_read(lab: Lab, tmp_path: Path) -> None:
    offer(lab, 1, "lives")
    first = steps(lab, build("lives"), tmp_path / "log")
    assert sum(" publish " in line for line in first) == 2
    offer(lab, 2, "lives")
    later = steps(lab, build("lives"), tmp_path / "log")[len(first) :]
    check(lab, 2, "lives")
    published, told = (next(n for n, line in enumerate(later, 1) if what in line) for what in ("publish tru", "ions/tru"))
    snapshots = {f"dies_{number}": place for number, place in enumerate(places(later), 1)}
    added = {f"{load}_{at}": f"{at}:before" for load in ("append", "merge") for at in (published, told)}
    second = {**snapshots, **added}
    names = [*second, *(f"dies_first_{number}" for number in range(len(places(first)) - len(second)))]

    offer(lab, 1, *names)
    killed_and_built_again(lab, dict(zip(names, cycle(places(first)), strict=False)))
    check(lab, 1, *names)
    offer(lab, 2, *second)
    with reader(lab, list(second), tmp_path / "seen"):
        killed_and_built_again(lab, second)
    check(lab, 2, *second)
    states = [tuple(json.loads(line)) for line in (tmp_path / "seen").read_text().splitlines()]
    assert sorted(states) == sorted((name, [*map(list, served(name, version))]) for name in second for version in (1, 2))


@contextmanager
def reader(lab: Lab, names: list[str], seen: Path) -> Iterator[None]:
    """A second process that asks the tables again and again, and writes down each answer that differs from the one before."""
    pid = os.fork()
    if pid == 0:
        try:
            from sql.engine import open_engine

            engine, last = open_engine(lab.settings), dict[str, str]()
            with seen.open("w") as file:
                for name in cycle(names):
                    rows = engine.ask(f"SELECT id, CAST(price AS bigint) FROM trusted.{name} ORDER BY id").rows
                    state = json.dumps([name, list(rows)])
                    if state != last.get(name):
                        print(state, file=file, flush=True)
                        last[name] = state
                    time.sleep(0.02)
        except Exception as error:  # noqa: BLE001 whatever the reader met is what the test must see
            seen.write_text(f"{seen.read_text()}{type(error).__name__}: {error}\n")
        finally:
            os._exit(0)
    try:
        assert wait_until(lambda: seen.exists() and len(seen.read_text().splitlines()) >= len(names), 60)
        yield
        assert wait_until(lambda: len(seen.read_text().splitlines()) >= 2 * len(names), 60)
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


def test_a_build_may_die_while_it_removes_what_another_left(lab: Lab, tmp_path: Path) -> None:
    offer(lab, 1, "twice")
    lab.build(lab.plan("twice"))
    offer(lab, 2, "twice")
    written = next(n for n, line in enumerate(steps(lab, build("twice"), tmp_path / "log"), 1) if "write trusted" in line)
    offer(lab, 3, "twice")
    for place in (f"{written}:after", "2:before", "2:after", "3:before", "3:after", "5:after"):
        assert ended(started(lab, build("twice"), place)) == -signal.SIGKILL
    lab.build(lab.plan("twice"))
    check(lab, 3, "twice")
