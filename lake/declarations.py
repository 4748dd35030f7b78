"""Reading a YAML declaration, and saying what is wrong with it in one line that helps."""

from collections.abc import Callable, Collection, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any, TypeVar, get_args

import yaml
from pydantic import BaseModel, ValidationError

from lake.errors import UsageError

T = TypeVar("T")
#: How alike two keys are of which one may be meant by the other.
LIKENESS = 0.7
#: Kinds of sources, which stand before the keys of a problem's place.
KINDS = ("rest", "files", "database")
Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _Strict(Loader):  # type: ignore[misc]
    """Safe YAML in which a key may stand once."""

    def construct_mapping(self, node: Any, deep: bool = False) -> Any:
        seen: set[Any] = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            if key in seen:
                raise yaml.constructor.ConstructorError(None, None, f"key {key!r} stands twice", key_node.start_mark)
            seen.add(key)
        return super().construct_mapping(node, deep)


def parse_yaml(text: str, where: str) -> Any:
    """The content of a YAML text.

    Raises UsageError with line and column.
    """
    try:
        return yaml.load(text, Loader=_Strict)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        place = f":{mark.line + 1}:{mark.column + 1}" if mark else ""
        raise UsageError(f"{where}{place}: {error.problem}") from None


def read_yaml(path: Path) -> Any:
    """The content of a YAML file.

    Raises UsageError when it cannot be read or is no YAML.
    """
    try:
        return parse_yaml(path.read_text(encoding="utf-8"), path.name)
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path.name}: cannot be read: {error}") from None


def first_problem(validate: Callable[[Any], T], declared: Any, where: str, *models: type[BaseModel]) -> T:
    """What `validate` makes of the declaration; `models` are what an unknown key may have been meant for.

    Raises UsageError for its first problem: file, key, what was given, what is allowed.
    """
    if not isinstance(declared, dict):
        came = "nothing" if declared is None else "a list" if isinstance(declared, list) else "a single value"
        raise UsageError(f"{where}: got {came}, expected keys with their values, such as `name: ...`")
    try:
        return validate(declared)
    except ValidationError as error:
        raise UsageError(f"{where}: {_described(error, models)}") from None


def _described(error: ValidationError, models: Sequence[type[BaseModel]]) -> str:
    problems = sorted(error.errors(include_url=False), key=lambda problem: problem["type"] != "extra_forbidden")
    problem = problems[0]
    kind, given, steps = problem["type"], problem["input"], problem["loc"]
    is_tagged = steps[:1] and steps[0] in KINDS and (len(steps) > 1 or isinstance(given, dict))
    path = [str(part) for part in (steps[1:] if is_tagged else steps)]
    if kind == "extra_forbidden":
        return f"{'.'.join(path)}: no such key{_instead(problem['loc'], models)}"
    if kind == "missing":
        return f"{'.'.join(path)}: this key is missing"
    if kind in ("union_tag_invalid", "union_tag_not_found"):
        context = problem.get("ctx", {})
        tag = context.get("discriminator", "'kind'").strip("'")
        shown = context.get("tag", "nothing")
        return (
            f"{'.'.join([*path, tag])}: got {shown!r}, expected one of {context.get('expected_tags', 'the kinds documented')}"
        )
    message = problem["msg"].removeprefix("Value error, ").replace("Input should be", "expected")
    is_shown = isinstance(given, (str, int, float, bool)) or given is None
    shown = f"got {given!r}, " if is_shown and "auth" not in path else ""  # it may be a secret
    place = f"{'.'.join(path)}: " if path else ""
    return f"{place}{shown}{message}"


def instead(word: str, known: Collection[str]) -> str:
    """What stands behind a word that nobody knows: the one that was probably meant, or those there are."""
    near = get_close_matches(word, known, 1, LIKENESS)
    return f"; did you mean {near[0]!r}?" if near else f", expected one of {', '.join(sorted(known))}"


def _instead(place: Sequence[int | str], models: Sequence[type[BaseModel]]) -> str:
    """The key that was probably meant, or those that may stand there."""
    there = _models_at(place, models)
    known = {field.alias or name for model in there for name, field in model.model_fields.items()}
    return instead(str(place[-1]), known)


def _models_at(place: Sequence[int | str], models: Sequence[type[BaseModel]]) -> Sequence[type[BaseModel]]:
    """What may stand at a place: its steps are keys, kinds or rules, and names or numbers that a declaration chose."""
    for step in place[:-1]:
        below = [
            each for model in models if step in model.model_fields for each in _within(model.model_fields[str(step)].annotation)
        ]
        tagged = [model for model in models if any(step in get_args(each.annotation) for each in model.model_fields.values())]
        models = below or tagged or models
    return models


def _within(annotation: Any) -> list[type[BaseModel]]:
    """The models that a type is made of."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for part in get_args(annotation) for model in _within(part)]
