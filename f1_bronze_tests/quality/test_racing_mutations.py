"""Each racing rule holds on sound sessions and notices its own mutation, with the rows at fault."""

import pytest

from f1_bronze.quality.racing import RACING_RULES

from .fake_lake import BY_NAME
from .racing_fixtures import RacingSessions, broken_rules, identities, racing_rules, simulated
from .racing_mutations import RACING_MUTATIONS


@pytest.fixture(scope="module")
def racing() -> RacingSessions:
    return simulated()


def test_every_declared_rule_has_a_function_and_a_mutation() -> None:
    """Declarations, the roll-call and the table of mutations name the same rules."""
    declared = {(name, rule.name) for name in BY_NAME for rule in racing_rules(name)}
    assert set(RACING_RULES) == {rule for _, rule in declared}
    assert set(RACING_MUTATIONS) == declared


@pytest.mark.parametrize("dataset", BY_NAME)
def test_rules_hold_on_simulated_sessions(racing: RacingSessions, dataset: str) -> None:
    """No racing rule finds fault with sound sessions of any type and season."""
    assert broken_rules(racing.checked(dataset)) == set()


@pytest.mark.parametrize(
    ("dataset", "rule"), RACING_MUTATIONS, ids=lambda name: name.replace(" ", "_")
)
def test_rule_notices_its_mutation(racing: RacingSessions, dataset: str, rule: str) -> None:
    """The rule and its companions alone fail, in that session alone, naming the rows at fault."""
    mutation = RACING_MUTATIONS[dataset, rule]
    broken, named = mutation.applied_to(racing, dataset)
    findings = broken.findings(dataset, rule)
    key = racing.key(mutation.partition)
    assert named
    assert sorted(identities(findings, key, mutation.identity), key=str) == named
    for other in findings.failing["session_key"].unique():
        if other != key:  # where single rows are at fault, within what the rule allows
            before = identities(racing.findings(dataset, rule), other, mutation.identity)
            assert identities(findings, other, mutation.identity) == before
    assert broken_rules(broken.checked(dataset)) == {
        (name, mutation.partition) for name in {rule, *mutation.companions}
    }
