#include "tests/bench/bench_support.h"

#include <rte_eal.h>
#include <unistd.h>

#include <string>

namespace qure::testing {

bool StartEnvironment(char* program) {
  const std::string prefix = "qure-bench-" + std::to_string(getpid());
  std::vector<std::string> words = {program,       "--no-huge",     "-m",   "64",       "--no-pci", "--no-telemetry",
                                    "--no-shconf", "--file-prefix", prefix, "--lcores", "0@(0)",    "--log-level",
                                    "error"};
  std::vector<char*> argv;
  argv.reserve(words.size());
  for (std::string& word : words) argv.push_back(word.data());
  return rte_eal_init(static_cast<int>(argv.size()), argv.data()) >= 0;
}

}  // namespace qure::testing
