"""scripts/test --only field: each case of a GoogleTest program is an outcome of its own."""

from planted import PlantedTest
from qure_dev.suites import field
from qure_dev.suites.outcome import FAILED, PASSED

# Stands for a test program: says which cases there are, and reports one that passed and one that did not.
PROGRAM = """#!/usr/bin/python3
import json, sys
report = [word.partition(":")[2] for word in sys.argv if word.startswith("--gtest_output=json:")]
assert "--gtest_filter=FieldE7.*:*/FieldE7.*" in sys.argv
if not report:
    print("FieldE7.\\n  Learns\\n  Forgets")
    sys.exit()
cases = [
    {"name": "Learns", "time": "0.5s", "result": "COMPLETED"},
    {"name": "Forgets", "time": "0s", "result": "COMPLETED", "failures": [{"failure": "it did not"}]},
]
json.dump({"testsuites": [{"name": "FieldE7", "testsuite": cases}]}, open(report[0], "w"))
"""


class Field(PlantedTest):
    def test_cases_are_outcomes(self) -> None:
        program = self.plant("core_test", PROGRAM)
        program.chmod(0o755)
        outcomes = list(field.of_program(program, field.gtest_filter("e7")))
        self.assertEqual(
            [(outcome.name, outcome.result, outcome.detail) for outcome in outcomes],
            [("core_test: FieldE7.Learns", PASSED, ""), ("core_test: FieldE7.Forgets", FAILED, "it did not")],
        )

    def test_a_program_without_a_report_has_failed(self) -> None:
        program = self.plant("core_test", "#!/bin/sh\nexit 3\n")
        program.chmod(0o755)
        (outcome,) = field.of_program(program, field.gtest_filter("E7"))
        self.assertEqual(outcome.result, FAILED)
        self.assertIn("3", outcome.detail)

    def test_an_id_is_no_prefix(self) -> None:
        self.assertEqual(field.python_name("E1"), "test_field_e1_")
        self.assertEqual(field.python_name(""), "test_field_")
