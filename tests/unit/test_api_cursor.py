"""Cursors: what comes back, and what is refused."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.cursor import Cursor, read_cursor

PLACES = st.lists(st.none() | st.text(), max_size=4).map(tuple)
CURSORS = st.builds(
    Cursor, st.integers(1, 2**63 - 1), st.text("0123456789abcdef", min_size=16, max_size=16), PLACES, st.integers(0, 2**31 - 1)
)


@given(CURSORS)
def test_a_cursor_comes_back_as_it_was_sent(cursor: Cursor) -> None:
    text = cursor.text()
    assert read_cursor(text) == cursor
    assert text == base64.urlsafe_b64encode(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))).decode().rstrip("=")


@given(CURSORS, st.data())
def test_a_cursor_that_was_changed_or_cut_is_refused(cursor: Cursor, data: st.DataObject) -> None:
    text = cursor.text()
    at = data.draw(st.integers(0, len(text) - 2))
    other = data.draw(st.sampled_from("ABCDefgh0123-_").filter(lambda letter: letter != text[at]))
    for changed in (text[:at] + other + text[at + 1 :], text[:at]):
        with pytest.raises(ValueError, match="as the page before gave it"):
            read_cursor(changed)


@given(st.text() | st.binary().map(lambda data: base64.urlsafe_b64encode(data).decode()))
def test_what_is_no_cursor_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="as the page before gave it"):
        read_cursor(text)
