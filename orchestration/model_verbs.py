"""`lake model list / show / train / promote / report / backtest`: trained models, which one scores, and detectors in series."""

import argparse
from typing import TYPE_CHECKING, Any

from lake.declared import Declared, read_declarations
from lake.errors import GateError, UsageError
from lake.settings import Settings
from lake.tables import Refined
from orchestration import series_verbs
from orchestration.model_facts import drift_facts, figure, model_facts
from orchestration.printing import print_json, print_rows
from orchestration.progress import Progress
from orchestration.report_page import write_page
from store.models import kept_models, promote, promotion, read_model
from store.objects import Objects

if TYPE_CHECKING:
    from orchestration.cli import World

Given = argparse.Namespace
Document = dict[str, Any]


def called(settings: Settings, given: Given, world: "World") -> int:
    """Do the action."""
    declared, objects = read_declarations(settings), Objects(settings)
    models = {name: table for name, table in declared.refined.items() if table.model or table.series}
    if given.action == "list":
        return _list(objects, models, given.json)
    if given.name not in models:
        came = "none" if given.name is None else repr(given.name)
        raise UsageError(f"NAME: got {came}, expected one of {', '.join(models) or 'none: jobs/models declares none'}")
    table = models[given.name]
    if table.series:
        return series_verbs.called(settings, table, given)
    if given.action == "backtest":
        raise UsageError(f"backtest: {table.name} judges rows, not series; its threshold is a quantile: train it with another")
    if given.action == "train":
        return _train(settings, objects, declared, table, given.json, world)
    if given.action == "promote":
        return _promote(objects, table, given)
    document = _named(objects, table, given.id)
    if given.action == "show":
        return _show(objects, table, document, given.json)
    return _report(settings, table, document, given)


def _list(objects: Objects, models: dict[str, Refined], as_json: bool) -> int:
    found: list[Document] = []
    for name, table in sorted(models.items()):
        if table.series:
            found.append({"model": name, "kind": "series"})
            continue
        state = promotion(objects, name)
        kept = kept_models(objects, name)
        found += [{**each, "is_promoted": bool(state and state["id"] == each["id"])} for each in kept] or [{"model": name}]
    if as_json:
        print_json(found)
    else:
        print_rows(("model", "id", "trained", "rows", "k", "silhouette", "flagged", ""), [_row(each) for each in found])
    return 0


def _row(each: Document) -> tuple[Any, ...]:
    if each.get("kind") == "series":
        return each["model"], "", "", "", "", "", "", "a detector in series; fits itself as points come"
    if "id" not in each:
        return each["model"], "", "", "", "", "", "", f"not trained yet; `lake run {each['model']}` does it"
    metrics, state = each["metrics"], "promoted" if each["is_promoted"] else ""
    figures = f"{metrics['silhouette']:.3f}", f"{metrics['share_flagged']:.2%}"
    return each["model"], each["id"], each["trained_at"][:19], f"{each['rows']:,}", each["parameters"]["k"], *figures, state


def _named(objects: Objects, table: Refined, model_id: str | None) -> Document:
    """The trained model of an id, or the promoted one.

    Raises UsageError when there is none.
    """
    state = promotion(objects, table.name)
    chosen = model_id or (state["id"] if state else None)
    if chosen is None:
        raise UsageError(f"model {table.name}: none was trained yet; `lake run {table.name}` builds its table and trains it")
    return read_model(objects, table.name, chosen)


def _show(objects: Objects, table: Refined, document: Document, as_json: bool) -> int:
    state = promotion(objects, table.name)
    is_promoted = bool(state and state["id"] == document["id"])
    if as_json:
        print_json({**document, "is_promoted": is_promoted})
        return 0
    print_rows(("model", document["model"]), model_facts(document, ", promoted" if is_promoted else ""))
    print()
    names = list(document["features"])
    rows = [
        (
            number,
            f"{each['rows']:,}",
            f"{each['share']:.1%}",
            "rare" if each["is_rare"] else "",
            *(figure(each["usual"][n]) for n in names),
        )
        for number, each in enumerate(document["clusters"])
    ]
    print_rows(("cluster", "rows", "share", "", *(f"usual {name}" for name in names)), rows)
    check = document["check"]
    if check:
        print()
        print_rows((f"drift against {check['against']}", ""), drift_facts(document))
    return 0


def _train(settings: Settings, objects: Objects, declared: Declared, table: Refined, as_json: bool, world: "World") -> int:
    """Let Spark train; the exit code is 3 when the new model is kept beside the promoted one."""
    from orchestration.run import act

    told: list[Document] = []
    show = Progress(is_quiet=as_json)

    def tell(event: Document) -> None:
        if event["event"] == "model":
            told.append(event)
        show(event)

    order = {"model": table.name, "input": declared.table(table.inputs[0])}
    code = act(settings, objects, "train", order, world.place, tell)
    for event in told:
        if as_json:
            print_json({name: value for name, value in event.items() if name != "event"})
            continue
        print_rows(("model", table.name), model_facts(event["document"]))
        print(_told(table.name, event))
    return code


def _told(name: str, event: Document) -> str:
    """What became of a trained model, and what to do next."""
    if event["outcome"] == "promoted":
        return (
            f"promoted: {event['why']}; `lake run --no-ingest {name}` scores with it"
            if event["is_new"]
            else f"as it was: {event['why']}"
        )
    return f"not promoted (if it is to be used all the same: `lake model promote {name} --id {event['document']['id']}`)"


def _promote(objects: Objects, table: Refined, given: Given) -> int:
    """Let the lake score with a model that a person chose."""
    assert table.model is not None
    if given.id is None:
        raise UsageError("--id: got none, expected a trained model; `lake model list` has them")
    document = read_model(objects, table.name, given.id)
    if document["shape"] != table.model.shape:
        raise GateError(
            f"model {table.name}: {given.id} was trained for other features than those declared now; train a new one"
        )
    state = promotion(objects, table.name)
    promoted = promote(objects, document, state["id"] if state else None, "a person chose it")
    if given.json:
        print_json(promoted)
    else:
        print(f"{given.id} is promoted; `lake run --no-ingest {table.name}` scores with it")
    return 0


def _report(settings: Settings, table: Refined, document: Document, given: Given) -> int:
    """Write the page."""
    from orchestration.model_judged import read_judged
    from orchestration.model_report import report

    return write_page(settings, table.name, report(table, document, read_judged(settings, table)), given)
