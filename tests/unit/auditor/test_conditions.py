"""The canonical form of a trigger's condition keeps its meaning and nothing of its nesting."""

import pytest

from auditor.conditions import canonical_trigger


def trigger(condition: str) -> str:
    return f"CREATE TRIGGER t BEFORE UPDATE ON public.checks FOR EACH ROW WHEN ({condition}) EXECUTE FUNCTION refuse()"


@pytest.mark.parametrize(
    ("nested", "flat"),
    [
        ("((a = b) OR (c = d)) OR (e = f)", "(a = b) OR (c = d) OR (e = f)"),
        ("(a = b) OR ((c = d) OR (e = f))", "(a = b) OR (c = d) OR (e = f)"),
        ("((((a = b) AND (c = d)) AND (e = f)))", "(a = b) AND (c = d) AND (e = f)"),
        ("(a <> b) AND ((((c OR d) OR e)) AND f)", "(a <> b) AND (c OR d OR e) AND f"),
    ],
)
def test_chains_of_one_operator_are_equal_however_they_nest(nested: str, flat: str) -> None:
    assert canonical_trigger(trigger(nested)) == canonical_trigger(trigger(flat))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("(a OR b) AND c", "a OR (b AND c)"),
        ("(a AND b) OR c", "a AND b AND c"),
        ("(a OR b) OR c", "(a OR b) OR d"),
        ("NOT (a OR b) OR c", "NOT a OR b OR c"),
        ("(NOT (a OR b)) OR c", "(NOT a) OR b OR c"),
        ("f(a OR b) OR c", "f a OR b OR c"),
        ("a = ' (b OR c) OR d '", "a = ' b OR c OR d '"),
        ("a = 'it''s (x'", "a = 'it''s x'"),
    ],
)
def test_conditions_that_differ_stay_different(one: str, other: str) -> None:
    assert canonical_trigger(trigger(one)) != canonical_trigger(trigger(other))


def test_trigger_without_a_condition_is_unchanged() -> None:
    definition = "CREATE TRIGGER t BEFORE DELETE ON public.checks FOR EACH STATEMENT EXECUTE FUNCTION refuse()"
    assert canonical_trigger(definition) == definition
