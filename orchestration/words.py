"""The words of the command line: which verbs there are and what each takes; it imports nothing of the lake."""

import argparse
from collections.abc import Callable

EXIT_CODES = (
    "exit codes: 0 done, 1 failed, 2 usage, 3 a gate stopped a publish, 4 nothing to do, 5 locked, 6 doctor found failures, "
    "7 a freshness promise is broken, 75 retry later, 130 and 143 stopped by a signal"
)
Adder = Callable[[argparse.ArgumentParser], None]
#: Verb -> (function in orchestration that does it, what it does, how its arguments are declared).
VERBS: dict[str, tuple[str, str, Adder]] = {}


def verb(name: str, where: str, does: str) -> Callable[[Adder], Adder]:
    """Declare a verb: `where` is `module:function`, the decorated function adds its arguments."""

    def declared(add: Adder) -> Adder:
        VERBS[name] = (where, does, add)
        return add

    return declared


@verb("up", "verbs:up", "start the local servers and feeds")
@verb("down", "verbs:down", "end the local servers that `up` started")
@verb("doctor", "doctor:doctor", "look at everything that a run needs, and change nothing")
def _nothing(parser: argparse.ArgumentParser) -> None:
    """These take none."""


@verb("status", "status:status", "servers, how fresh each table is against its promise, last runs, disk")
def _status(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--check", action="store_true", help="exit with 7 when a promise of freshness is broken")


@verb("ingest", "verbs:ingest", "bots to raw")
def _ingest(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("names", nargs="*", metavar="SOURCE", help="sources to ask")
    parser.add_argument("--all", action="store_true", help="every declared source")
    parser.add_argument("--from", dest="start", metavar="TIME", help="only what is not older, beside the live cursor")
    parser.add_argument("--to", dest="end", metavar="TIME", help="only what is older than this")
    parser.add_argument("--full", action="store_true", help="everything, whatever the cursor says")


@verb("backfill", "backfill:called", "bring a range of a source's past to raw, window by window, then build")
def _backfill(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", metavar="NAME", help="a source that takes windows: by cursor, {from}, {to} or {date}")
    parser.add_argument("--from", dest="start", metavar="TIME", required=True, help="the first day, instant or number")
    parser.add_argument("--to", dest="end", metavar="TIME", required=True, help="where it ends; itself not included")
    parser.add_argument("--window", default="1 day", metavar="LENGTH", help="such as 1d, 6h, `1 month`; 1 day when left out")
    parser.add_argument("--no-build", action="store_true", help="leave what came in raw")


@verb("run", "verbs:run", "ask the sources, build and publish what changed")
def _run(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help="sources and refined tables, with all they need; all when left out"
    )
    parser.add_argument(
        "--accept", action="append", default=[], metavar="RUN", help="let this raw run (or table) shrink the table"
    )
    parser.add_argument("--no-ingest", action="store_true", help="build from what raw has")
    parser.add_argument(
        "--downstream", action="store_true", help="ask the named sources alone, and build all that is made from them"
    )
    parser.add_argument("--fail-on-empty", action="store_true", help="exit with 4 when nothing was new")


@verb("submit", "submit_verb:submit", "what `run` does, with Spark on a cluster")
def _submit(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--to", required=True, metavar="PLACE", help="a standalone cluster's master: spark://HOST:PORT")
    _run(parser)


@verb("serve", "serve_verb:serve", "tables, named queries and runs over HTTP")
def _serve(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on; any but loopback needs LAKE_API_KEYS")
    parser.add_argument("--port", type=int, default=8480, help="port to listen on; 0 takes any that is free")
    parser.add_argument("--new-key", metavar="NAME", help="print a new key and its entry for LAKE_API_KEYS, and end")


@verb("sql", "sql_verb:sql", "one SELECT in Athena's dialect")
def _sql(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("text", nargs="?", metavar="QUERY", help="the query; - reads it from standard input")
    parser.add_argument("--query", metavar="NAME", help="a named query of sql/queries/ instead")
    parser.add_argument("--param", action="append", default=[], metavar="NAME=VALUE", help="a parameter of the named query")
    parser.add_argument("--format", choices=["table", "csv", "json"], default=None, help="table unless --json")
    parser.add_argument("--engine", default="duckdb", help="duckdb (athena comes later)")


@verb("tables", "views:tables", "what there is: rows, publish, freshness; columns of one table")
def _tables(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", nargs="?", metavar="NAME", help="a table such as refined.category_summary, or a zone")


@verb("raw", "verbs:raw", "list, verify, replay and sweep the raw zone")
def _raw(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "action",
        choices=["list", "verify", "replay", "sweep"],
        help="show runs; check every byte; decode again; remove what dead runs left",
    )
    parser.add_argument("names", nargs="*", metavar="SOURCE", help="sources; all when left out")


@verb("source", "source_verbs:called", "what is declared, and what a source sends now")
def _source(parser: argparse.ArgumentParser) -> None:
    actions = ["list", "show", "check", "suggest"]
    parser.add_argument(
        "action", choices=actions, help="all; one in full; fetch and judge its first rows, changing nothing; a first YAML"
    )
    parser.add_argument(
        "what", nargs="?", metavar="NAME", help="a source; for suggest, the address of a file, or of many by `*`"
    )
    parser.add_argument("--name", metavar="NAME", help="for suggest: name of the source; made from the address when left out")


@verb("runs", "run_verbs:called", "what each run did")
def _runs(parser: argparse.ArgumentParser) -> None:
    actions = ["list", "show", "logs"]
    parser.add_argument("action", choices=actions, help="the last runs; what one did; the words of its Spark job")
    parser.add_argument("run", nargs="?", metavar="RUN", help="run to show; the last when left out")
    parser.add_argument("--last", type=int, default=20, metavar="N", help="list so many runs, the newest last")
    parser.add_argument("--failed", action="store_true", help="list only runs that failed, were stopped or were killed")


@verb("cron", "cron_verbs:called", "run every source on its schedule, and upkeep at night, from the user's crontab")
def _cron(parser: argparse.ArgumentParser) -> None:
    actions = ["show", "install", "remove", "tick"]
    does = "schedules and crontab lines; write the lines; take them out; what cron calls each minute: begin what is due"
    parser.add_argument("action", choices=actions, help=does)


@verb("lineage", "lineage_verb:called", "what a publish was made from, down to the bytes that came")
def _lineage(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("table", metavar="TABLE", help="a table such as refined.category_summary")
    parser.add_argument("--publish", type=int, metavar="NUMBER", help="an earlier publish; the newest when left out")
    forms = ["text", "json", "openlineage"]
    parser.add_argument("--format", choices=forms, help="text unless --json; openlineage: one run event per line")


@verb("model", "model_verbs:called", "models that mark anomalies: train, compare, look")
def _model(parser: argparse.ArgumentParser) -> None:
    actions = ["list", "show", "train", "promote", "report", "backtest"]
    does = (
        "all; one in full; train on the input as it is published; let the lake score with one that was kept; write a page to "
        "look at; which alerts of series another setting would have raised"
    )
    parser.add_argument("action", choices=actions, help=does)
    parser.add_argument("name", nargs="?", metavar="NAME", help="a declared model")
    parser.add_argument("--id", metavar="ID", help="a trained model (show, promote); the promoted one when left out")
    where = "where the page goes (report), `.lake/reports/NAME.html` when left out; or where the range ends (backtest)"
    parser.add_argument("--to", metavar="FILE|TIME", help=where)
    parser.add_argument("--from", dest="start", metavar="TIME", help="where the range begins (backtest), UTC")
    parser.add_argument(
        "--series", action="append", default=[], metavar="ENTITY", help="a series to draw (report), such as `JFK`"
    )
    truth = "CSV of the entity's columns, start and end: known windows to compare with (report, backtest)"
    parser.add_argument("--truth", metavar="FILE", help=truth)
    for name, meaning in (
        ("threshold", "score of an alert"),
        ("memory", "weight of past alerts"),
        ("calm", "weight of a usual score"),
    ):
        parser.add_argument(f"--{name}", type=float, metavar="NUMBER", help=f"{meaning} (backtest); as declared when left out")
    parser.add_argument(
        "--rest", type=int, metavar="POINTS", help="points between alerts (backtest); as declared when left out"
    )


@verb("rollback", "verbs:rollback", "put an earlier publish of a table back")
def _rollback(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("table", metavar="TABLE", help="full name such as refined.category_summary")
    parser.add_argument("--to", type=int, metavar="NUMBER", help="publish to go back to; the one before when left out")


@verb("maintain", "maintain:called", "keep tables, raw runs, run records and logs from growing for ever")
def _maintain(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("tables", nargs="*", metavar="TABLE", help="only these, such as trusted.products; all when left out")
    parser.add_argument("--keep", type=int, metavar="N", help="publishes `lake rollback` can go back to; LAKE_KEEP_PUBLISHES")
    parser.add_argument("--dry-run", action="store_true", help="say what there is to do, and change nothing")


@verb("catalog", "verbs:catalog", "rebuild a lost catalog from the bucket")
def _catalog(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("action", choices=["rebuild"], help="register every published table that the catalog does not know")


@verb("quarantine", "quarantine_verbs:called", "rejected rows: list, show, judge again, forget")
def _quarantine(parser: argparse.ArgumentParser) -> None:
    actions = ["list", "show", "replay", "drop"]
    parser.add_argument("action", choices=actions, help="how many; which and why; judge raw again as declared now; forget them")
    parser.add_argument("name", nargs="?", metavar="NAME", help="a source")
    parser.add_argument("--run", metavar="RUN", help="only rows of this raw run (show, drop)")


def parser() -> argparse.ArgumentParser:
    """The whole command line."""
    top = argparse.ArgumentParser("lake", description="Embalse: a data lake on a laptop and on EMR.", epilog=EXIT_CODES)
    verbs = top.add_subparsers(dest="verb", required=True, metavar="VERB")
    for name in sorted(VERBS):
        where, does, add = VERBS[name]
        below = verbs.add_parser(name, help=does, description=does[0].upper() + does[1:] + ".")
        below.add_argument("--json", action="store_true", help="the result as JSON on stdout")
        add(below)
        below.set_defaults(where=where)
    return top
