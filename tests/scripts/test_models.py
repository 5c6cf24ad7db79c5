"""scripts/test --only models: a model passes if all of its states were looked at and none is bad, a mutant if the right
rule breaks."""

import re

from planted import PlantedTest
from qure_dev.paths import ROOT
from qure_dev.suites import models
from qure_dev.suites.outcome import FAILED, PASSED

# Counts up to HARMS, which must not be more than 3.
MODEL = """/* Mutants:
 *   M_JUMP   small  0  goes on
 *   M_OTHER  other  0  breaks a rule that is not its own
 *   M_QUIET  small  0  breaks nothing
 */
#ifndef HARMS
#define HARMS 3
#endif
byte count;
active proctype Counter() {
  do
  :: count < HARMS -> count++; printf("now %d\\n", count)
  :: else -> break
  od;
#if defined(M_JUMP) || defined(M_OTHER)
  count = 7;
#endif
  if
  :: count > 3 -> printf("broken: small\\n"); assert(false)
  :: else
  fi
}
"""
REPORT = "Full statespace search for:\nState-vector 12 byte, depth reached 9, errors: 0\n        5 states, stored\n"


class Models(PlantedTest):
    def search(self, number: int) -> models.Search:
        return models.searches_of(self.plant("count.pml", MODEL))[number]

    def test_mutants_are_named_by_the_model(self) -> None:
        names = [search.name for search in models.searches_of(self.plant("count.pml", MODEL))]
        self.assertEqual(
            names, ["count, every state", "count, mutant jump", "count, mutant other", "count, mutant quiet"]
        )

    def test_a_model_passes(self) -> None:
        self.assertEqual(models.outcome_of(self.search(0)).result, PASSED)

    def test_a_bad_state_is_shown(self) -> None:
        outcome = models.outcome_of(models.Search(self.search(0).model, harms="4"))
        self.assertEqual(outcome.result, FAILED)
        self.assertIn("now 4\nbroken: small", outcome.detail)

    def test_a_mutant_must_break_its_rule(self) -> None:
        outcomes = [models.outcome_of(self.search(number)) for number in (1, 2, 3)]
        self.assertEqual([outcome.result for outcome in outcomes], [PASSED, FAILED, FAILED])
        self.assertIn("'other' must break", outcomes[1].detail)
        self.assertIn("nothing notices", outcomes[2].detail)

    def test_a_model_that_cannot_be_read(self) -> None:
        outcome = models.outcome_of(models.Search(self.plant("bad.pml", "active proctype P( {\n")))
        self.assertEqual(outcome.result, FAILED)
        self.assertIn("syntax error", outcome.detail)

    def test_part_of_the_states_is_not_enough(self) -> None:
        self.assertEqual(models.flaw_of_model(models.Found(REPORT)), "")
        for sign in (
            "error: max search depth too small",
            "Warning: Search not completed",
            "pan: reached -DMEMLIM bound",
        ):
            with self.subTest(sign=sign):
                self.assertNotEqual(models.flaw_of_model(models.Found(f"{sign}\n{REPORT}")), "")
        sampled = REPORT.replace("Full statespace", "Bit statespace")
        self.assertNotEqual(models.flaw_of_model(models.Found(sampled)), "")

    def test_every_mutant_is_defined_where_it_is_named(self) -> None:
        for model in sorted((ROOT / "tests/models").glob("*.pml")):
            defined = re.findall(r"^#ifn?def M_(\w+)", model.read_text(), re.MULTILINE)
            named = {search.mutant for search in models.searches_of(model) if search.mutant}
            self.assertEqual(named, set(defined))
