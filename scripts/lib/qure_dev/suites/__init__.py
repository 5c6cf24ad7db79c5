"""The test suites that scripts/test runs: each a function (options) -> iterator of Outcome."""
