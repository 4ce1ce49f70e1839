"""The rule for unknown weights is one rule, in SQL and in Python."""

from __future__ import annotations

import duckdb
from hypothesis import given
from hypothesis import strategies as st

from selftaught_builder.common.keys import UNKNOWN_WEIGHTS, weights_identity
from selftaught_builder.store.identity import weights_identity_of

TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=20)


@given(st.one_of(st.just(UNKNOWN_WEIGHTS), TEXT), TEXT, st.integers(0, 2**31 - 1), TEXT)
def test_sql_and_python_name_the_same_weights(weights: str, run: str, round_number: int, model: str) -> None:
    row = "SELECT ? AS weights, ? AS run, ?::INTEGER AS round, ? AS model"
    ((found,),) = duckdb.execute(
        f"SELECT {weights_identity_of('a')} FROM ({row}) a", [weights, run, round_number, model]
    ).fetchall()
    assert found == weights_identity(weights, run=run, round_number=round_number, model=model)
