"""The tables that models write: each a refined table whose contract follows from the model's declaration."""

from importlib.resources.abc import Traversable

from lake.columns import checked_name
from lake.declarations import first_problem, parse_yaml
from lake.errors import UsageError
from lake.model import Clusters, Feature, Model, Training
from lake.series import JUDGING_CODE, SeriesModel, SeriesValue, series_table
from lake.tables import Partition, Refined, Table, TableColumn, code_hash, load_refined

#: Modules of jobs/models that decide what a model's table holds, given a trained model.
SCORING_CODE = ("features.py", "reasons.py", "scoring.py")
MODELS = (Model, Feature, Clusters, Training, TableColumn)


def load_tables(jobs: Traversable) -> dict[str, Refined]:
    """Every refined table of the package `jobs` (a folder or in the zip) by name: by function, and by model.

    Raises UsageError for the first that is wrong.
    """
    refined, models = load_refined(jobs / "refined"), load_models(jobs)
    both = sorted(set(refined) & set(models))
    if both:
        raise UsageError(f"jobs/models/{both[0]}.yaml: jobs/refined has a table {both[0]!r} too; expected another name")
    return refined | models


def load_models(jobs: Traversable) -> dict[str, Refined]:
    """The tables of all models of rows and detectors in series, declared in `models/` of the package, by name.

    Raises UsageError for the first that is wrong.
    """
    files = {entry.name: entry for entry in (jobs / "models").iterdir()}
    code = code_hash(files[name].read_text("utf-8") for name in SCORING_CODE)
    found = {}
    for filename in sorted(name for name in files if name.endswith(".yaml")):
        name, where = filename.removesuffix(".yaml"), f"jobs/models/{filename}"
        declared = parse_yaml(files[filename].read_text("utf-8"), where)
        if isinstance(declared, dict) and declared.get("kind") == "series":
            series = first_problem(SeriesModel.model_validate, declared, where, SeriesModel, SeriesValue, TableColumn)
            judging = code_hash((jobs / "series" / part).read_text("utf-8") for part in JUDGING_CODE)
            found[checked_name(name)] = series_table(name, series, judging)
            continue
        model = first_problem(Model.model_validate, declared, where, *MODELS)
        found[name] = model_table(checked_name(name), model, code)
    return found


def model_table(name: str, model: Model, code: str) -> Refined:
    """The table of a model as planning sees it."""
    return Refined(name, _contract(model), (model.input,), code, model)


def _contract(model: Model) -> Table:
    columns = {
        **model.carry,
        **model.entity,
        model.time: TableColumn(type="timestamp", description="UTC"),
        **{name: _value(feature) for name, feature in model.features.items()},
        "cluster": TableColumn(type="int", description="nearest cluster, 0 the largest; null where the row is not judged"),
        "score": TableColumn(
            type="double",
            description="distance to the nearest cluster that is not rare, in typical distances of its members; null where not judged",
        ),
        "is_anomaly": TableColumn(
            type="boolean", description="whether the score is above the threshold; null where not judged"
        ),
        "threshold": TableColumn(type="double", description="score above which the model calls a row an anomaly"),
        "reason": TableColumn(
            type="string",
            description="the values that make most of an anomaly's score, what is usual, the unit; else why it is not judged, or null",
        ),
        "model": TableColumn(type="string", description="id of the trained model; `lake model show` tells more"),
    }
    return Table(
        description=model.description,
        key=[*model.entity, model.time],
        columns=columns,
        expectations=model.expectations,
        partition=Partition(column=model.partition, of=[model.input]) if model.partition else None,
        max_shrink=model.max_shrink,
        fresh_within=model.fresh_within,
    )


def _value(feature: Feature) -> TableColumn:
    words = f"{feature.description}, {feature.unit}" if feature.description else feature.unit
    return TableColumn(type="double", description=words)
