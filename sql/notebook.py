"""One call for notebooks: a question in Athena's dialect, answered as a pandas frame."""

from typing import Any

from lake.settings import read_settings
from sql.engine import open_engine


def ask(query: str) -> Any:
    """The answer as a pandas DataFrame, one row per row, one column per column.

    Raises UsageError for a query that is wrong, TemporaryError when the store is away.
    """
    import pandas as pd

    answer = open_engine(read_settings()).ask(query)
    return pd.DataFrame(list(answer.rows), columns=[column.name for column in answer.columns])
