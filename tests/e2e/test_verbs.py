"""Every verb and exit code of `lake` as a person meets them: mistakes, gates, repairs, signals, and two at once."""

import re
import shutil
import signal
from pathlib import Path

import pytest

from lake import paths
from lake.settings import S3_GROUP
from local.feeds import Answer
from local.processes import wait_until
from store import raw
from tests.e2e.conftest import Copy, Shop
from tests.e2e.user import alive, command_line, descendants, ended, kill, wait_for_effect

NAME = "category_summary"


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["tabels"], "invalid choice: 'tabels'"),
        (["run", "--acept", "x"], "unrecognized arguments: --acept"),
        (["run", "produts"], "got 'produts', expected one of airlines, airports, carts, categories"),
        (["ingest", "produts"], "got 'produts', expected one of airlines, airports, carts, categories"),
        (["ingest"], "got none, expected names of sources or --all"),
        (["tables", "refined.nope"], "got 'refined.nope', expected one of meta.quality_results"),
        (["tables", "nope"], "got 'nope', expected a zone (meta, refined, trusted)"),
        (["runs", "show", "nope"], "got 'nope', expected one of `lake runs list`"),
        (["runs", "logs", "../../env"], "got '../../env', expected one of `lake runs list`"),
        (["rollback", "refined.nope"], "got a table that was never published"),
        (["raw", "replay", "produts"], "got 'produts', expected one of airlines, airports, carts, categories"),
        (["raw", "verify", "produts"], "got 'produts', expected one of airlines, airports, carts, categories"),
        (["raw", "list", "produts"], "got 'produts', expected one of airlines, airports, carts, categories"),
        (["sql", "SELECT * FROM nope"], "nope"),
        (["sql", "SELECT 1", "--engine", "quack"], "got 'quack', expected duckdb"),
    ],
)
def test_a_wrong_word_is_named_with_those_that_are_right(copy: Copy, words: list[str], told: str) -> None:
    answer = copy.lake(*words)
    assert answer.code == 2, answer.err
    assert told in answer.err
    assert "Traceback" not in answer.err
    assert answer.out == ""


def test_a_wrong_setting_or_declaration_is_named(copy: Copy, tmp_path: Path) -> None:
    wrong = copy.lake("tables", **dict.fromkeys(S3_GROUP, "x"))
    assert (wrong.code, wrong.last_line) == (2, "lake tables: LAKE_ROOT: got 'x', expected s3://BUCKET or s3://BUCKET/PREFIX")
    shutil.copytree(copy.folder / "ingest" / "sources", tmp_path, dirs_exist_ok=True)
    products = tmp_path / "products.yaml"
    products.write_text(products.read_text().replace("schedule:", "shedule:"))
    wrong = copy.lake("run", LAKE_SOURCES=str(tmp_path))
    assert wrong.code == 2
    assert "products.yaml" in wrong.last_line
    assert "'schedule'" in wrong.last_line or "schedule" in wrong.last_line


def test_nothing_new_is_exit_code_4_when_asked_for(shop: Shop) -> None:
    assert shop.lake("run", NAME).code == 0
    assert shop.lake("run", NAME, "--fail-on-empty").code == 4


def test_a_source_that_fails_stops_only_its_own_table(shop: Shop) -> None:
    shop.feeds.faults["/products"] = [Answer(404, b"<html>gone</html>", {"Content-Type": "text/html"})]
    failed = shop.lake("run", NAME)
    assert failed.code == 1
    assert "404" in failed.err
    assert shop.prices() == {1.0}


def test_a_shrunken_source_waits_for_consent_and_can_be_taken_back(shop: Shop) -> None:
    shop.serve(2, products=5)
    stopped = shop.lake("run", NAME)
    assert stopped.code == 3, stopped.err
    assert shop.prices() == {1.0}
    accepted = re.search(r"lake run --accept (\w+)", stopped.err)
    assert accepted, stopped.err
    assert shop.lake("run", NAME, "--accept", accepted[1]).code == 0
    assert shop.prices() == {2.0}
    assert shop.lake("runs", "show", "--json").json["accept"] == [accepted[1]]
    assert shop.lake("rollback", f"refined.{NAME}").code == 0
    assert shop.prices() == {1.0}
    assert "tables" not in shop.lake("run", NAME, "--json").json


def test_a_lost_catalog_is_rebuilt_from_the_bucket(shop: Shop) -> None:
    before = shop.prices()
    for path in (shop.home / ".lake").glob("catalog.db*"):
        path.unlink()
    lost = shop.lake("run", NAME)
    assert lost.code == 1
    assert "`lake catalog rebuild` finds it again" in lost.last_line
    rebuilt = shop.lake("catalog", "rebuild")
    assert (rebuilt.code, f"refined.{NAME}" in rebuilt.out) == (0, True)
    assert shop.prices() == before
    assert "tables" not in shop.lake("run", NAME, "--json").json


def test_a_flipped_byte_a_missing_and_a_foreign_object_are_found(shop: Shop) -> None:
    assert shop.lake("raw", "verify").code == 0
    objects = shop.lake.objects
    first, second = raw.runs_after(objects, "products", 0)[:2]
    flipped, missing, foreign = (
        first.originals[0].key,
        second.originals[0].key,
        f"{paths.raw_run(second.source, second.run)}stranger.txt",
    )
    kept = {key: objects.get(key) for key in (flipped, missing)}
    objects.put(flipped, kept[flipped][:-2] + b" " + kept[flipped][-1:])
    objects.delete([missing])
    objects.put(foreign, b"?")
    found = shop.lake("raw", "verify", "--json")
    assert found.code == 1
    assert {(problem["kind"], problem["key"]) for problem in found.json["problems"]} == {
        ("changed", flipped),
        ("missing", missing),
        ("foreign", foreign),
    }
    for key, data in kept.items():
        objects.put(key, data)
    objects.delete([foreign])
    assert shop.lake("raw", "verify").code == 0


def test_replay_decodes_old_runs_as_the_declaration_now_says(shop: Shop) -> None:
    declaration = shop.home / "ingest" / "sources" / "products.yaml"
    text = declaration.read_text()
    declaration.write_text(text.replace("rating_count:", "stars: {type: double, from: rating.rate}\n  rating_count:"))
    runs = [each["run"] for each in shop.lake("raw", "list", "products", "--json").json]
    replayed = shop.lake("raw", "replay", "products", "--json")
    assert replayed.code == 0
    assert {each["run"]: each["outcome"] for each in replayed.json} == dict.fromkeys(runs, "decoded")
    assert {each["outcome"] for each in shop.lake("raw", "replay", "products", "--json").json} == {"present"}
    declaration.write_text(text)
    assert shop.lake("raw", "verify").code == 0


def test_two_runs_at_once_publish_once(shop: Shop) -> None:
    shop.serve(4)
    assert shop.lake("ingest", "products").code == 0
    numbers = {table: len(shop.lake.publications(table)) for table in ("trusted.products", f"refined.{NAME}")}
    both = [shop.lake.start("run", NAME, "--no-ingest") for _ in range(2)]
    ends = [ended(process) for process in both]
    assert {end.code for end in ends} <= {0, 5}, [end.err for end in ends]
    assert 0 in {end.code for end in ends} or shop.lake("run", NAME).code == 0
    assert shop.prices() == {4.0}
    assert {table: len(shop.lake.publications(table)) - before for table, before in numbers.items()} == dict.fromkeys(
        numbers, 1
    )


def test_a_run_stopped_by_a_signal_or_killed_leaves_nothing_running_and_the_next_one_finishes(shop: Shop) -> None:
    shop.serve(5)
    for number, code in ((signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGKILL, -9)):
        shop.log.unlink(missing_ok=True)
        run = shop.lake.start("run", NAME, LAKE_CRASH_LOG=str(shop.log))
        wait_for_effect(run, shop.log, "write trusted.products" if number == signal.SIGKILL else "plan.json")
        assert wait_until(lambda run=run: bool(descendants(run.pid)), 20)
        children = descendants(run.pid)
        run.send_signal(number)
        end = ended(run)
        assert end.code == code, end.err
        assert "Traceback" not in end.err
        assert wait_until(lambda children=children: not alive(children), 20), "Spark outlived its run"
    shop.log.unlink()
    run = shop.lake.start("run", NAME, LAKE_CRASH_LOG=str(shop.log))
    wait_for_effect(run, shop.log, "state/leases/table/trusted.products")
    kill([each for each in descendants(run.pid) if "SparkSubmit" in command_line(each[0])])
    end = ended(run)
    assert end.code == 75, end.err
    assert "the Spark job was killed by SIGKILL" in end.err
    assert shop.lake("run", NAME).code == 0
    assert shop.prices() == {5.0}
    assert shop.lake("raw", "verify").code == 0


def test_ctrl_c_does_not_wait_for_a_source_that_stands_still(shop: Shop) -> None:
    asked = len(shop.feeds.requests)
    shop.feeds.faults["/products"] = [Answer(200, b"[]", {}, delay_seconds=60)]
    run = shop.lake.start("run", NAME)
    try:
        assert wait_until(lambda: len(shop.feeds.requests) > asked, 30)
        run.send_signal(signal.SIGINT)
        assert wait_until(lambda: run.poll() is not None, 20), "it waited for the source's answer"
        end = ended(run)
        assert (end.code, end.last_line) == (130, "lake run: stopped")
    finally:
        kill(descendants(run.pid))
        run.kill()
