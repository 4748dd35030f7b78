"""A trained model in words: the facts that `lake model show`, `train` and `report` share."""

from typing import Any

Document = dict[str, Any]
Facts = list[tuple[str, str]]


def model_facts(document: Document, state: str = "") -> Facts:
    """What it was trained on and how it came out; `state` is added to its id."""
    metrics, at, check, parameters = (document[name] for name in ("metrics", "trained_on", "check", "parameters"))
    window = ", ".join(f"{key} {value}" for key, value in parameters["window"].items()) or "all rows"
    tried = ", ".join(f"{fit['k']}: {fit['silhouette']:.3f}" for fit in parameters["tried"])
    return [
        ("id", f"{document['id']}{state}"),
        ("trained", f"{document['trained_at'][:19]} UTC by run {document['run']}"),
        ("on", f"{document['rows']:,} rows of {at['table']}, publish {at['number']}, snapshot {at['snapshot']} ({window})"),
        ("clusters", f"{parameters['k']}, inertia {metrics['inertia']:,.1f}, silhouette {tried}"),
        (
            "threshold",
            f"{document['threshold']:.3f}, the {parameters['threshold']:g} quantile; flags {metrics['share_flagged']:.2%}",
        ),
        ("check", check["why"] if check else "none: the first model of its declaration"),
    ]


def drift_facts(document: Document) -> Facts:
    """How far its clusters and values are from those of the model it was compared with."""
    drift = document["check"]["drift"]
    facts = [("centroid shift, in scales", f"{drift['centroid_shift']:.3f}")]
    return facts + [(f"{name}, stability index", f"{index:.3f}") for name, index in drift["population_stability"].items()]


def figure(value: float | None) -> str:
    """A value as tables show it."""
    return "" if value is None else f"{value:,.4g}"
