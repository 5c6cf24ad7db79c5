// qure-sim: runs seeds of scenarios and reports which of them violate an invariant.
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include "tests/sim/mutants.h"
#include "tests/sim/run.h"

namespace qure::sim {
namespace {

constexpr char kHelp[] =
    "Usage: qure-sim [--seed S] [--seeds COUNT] [--nodes N] [--scenario all|NAME] [--hours H] [--jobs J]\n"
    "                [--mutate NAME] [--each] [--json] [--trace] [--list]\n"
    "Runs the production control core, heartbeater, gate and packet path of N nodes in a simulated LAN and checks the\n"
    "invariants at every frame. One seed is one run and replays to the byte.\n"
    "  --seed S       the first seed (1)\n"
    "  --seeds COUNT  so many from there on (1), each in every scenario unless one is named\n"
    "  --nodes N      instead of the scenario's own number\n"
    "  --hours H      each run goes on for so many simulated hours, with faults by chance\n"
    "  --jobs J       threads (2); the results do not depend on it\n"
    "  --mutate NAME  breaks a rule on purpose (qure-sim-mutants only)\n"
    "  --each         a line for every run, not only for those that violate\n"
    "  --trace        what happens, to standard error\n"
    "Exit status: 0 without a violation, 1 with one, 2 for wrong arguments.\n";

struct Options {
  uint64_t seed = 1;
  uint64_t seeds = 1;
  size_t nodes = 0;
  double hours = 0;
  unsigned jobs = 2;
  std::span<const Scenario> scenarios = Scenarios();
  const Mutant* mutant = nullptr;
  bool json = false;
  bool trace = false;
  bool each = false;
};

[[noreturn]] void Fail(const std::string& text) {
  std::fprintf(stderr, "qure-sim: %s; see --help\n", text.c_str());
  std::exit(2);
}

uint64_t Number(const std::string& text) {
  char* end = nullptr;
  const uint64_t number = std::strtoull(text.c_str(), &end, 0);
  if (text.empty() || *end != 0) Fail("not a number: " + text);
  return number;
}

void List() {
  for (const Scenario& scenario : Scenarios()) {
    std::printf("%-20s %s\n", std::string(scenario.name).c_str(), std::string(scenario.meaning).c_str());
  }
  for (const Mutant& mutant : Mutants()) {
    std::printf("mutant %-26s caught in %s, %lu seeds\n", std::string(mutant.name).c_str(),
                std::string(mutant.scenario).c_str(), mutant.seeds);
  }
}

void ChooseScenario(const std::string& name, Options* options) {
  if (name == "all") return;
  const Scenario* const scenario = FindScenario(name);
  if (scenario == nullptr) Fail("no scenario " + name);
  options->scenarios = {scenario, 1};
}

void ChooseMutant(const std::string& name, Options* options) {
#ifdef QURE_MUTATIONS
  options->mutant = FindMutant(name);
  if (options->mutant == nullptr) Fail("no mutant " + name);
  mutation = options->mutant->mutation;
#else
  (void)options;
  Fail("cannot be " + name + ": this is not qure-sim-mutants");
#endif
}

Options Parse(int argc, char** argv) {
  Options options;
  for (int i = 1; i < argc; ++i) {
    const std::string option = argv[i];
    if (option == "--json") {
      options.json = true;
    } else if (option == "--trace") {
      options.trace = true;
    } else if (option == "--each") {
      options.each = true;
    } else if (option == "--list") {
      List();
      std::exit(0);
    } else if (option == "--help") {
      std::fputs(kHelp, stdout);
      std::exit(0);
    } else {
      if (i + 1 >= argc) Fail("unknown or without a value: " + option);
      const std::string value = argv[++i];
      if (option == "--seed") {
        options.seed = Number(value);
      } else if (option == "--seeds") {
        options.seeds = Number(value);
      } else if (option == "--nodes") {
        options.nodes = Number(value);
      } else if (option == "--jobs") {
        options.jobs = static_cast<unsigned>(Number(value));
      } else if (option == "--hours") {
        options.hours = std::strtod(value.c_str(), nullptr);
      } else if (option == "--scenario") {
        ChooseScenario(value, &options);
      } else if (option == "--mutate") {
        ChooseMutant(value, &options);
      } else {
        Fail("unknown option " + option);
      }
    }
  }
  if (options.nodes > 64) Fail("at most 64 nodes");
  if (options.jobs == 0) options.jobs = 1;
  return options;
}

void Print(const RunResult& run, const Options& options) {
  const bool single = options.seeds * options.scenarios.size() == 1;
  if (!options.each && !options.trace && !single && run.violations.empty()) return;
  const std::string scenario(run.scenario);
  if (options.json) {
    std::printf(
        "{\"seed\":%llu,\"scenario\":\"%s\",\"hash\":\"%016llx\",\"frames\":%llu,\"takeovers\":%llu,"
        "\"sent\":%llu,\"answered\":%llu,\"longest_outage_ms\":%.3f,\"group_frames_s\":%.1f,\"violations\":[",
        static_cast<unsigned long long>(run.seed), scenario.c_str(), static_cast<unsigned long long>(run.hash),
        static_cast<unsigned long long>(run.frames), static_cast<unsigned long long>(run.takeovers),
        static_cast<unsigned long long>(run.sent), static_cast<unsigned long long>(run.answered),
        static_cast<double>(run.longest_outage.ns) / 1e6, run.group_rate);
    for (size_t i = 0; i < run.violations.size(); ++i) {
      const Violation& violation = run.violations[i];
      std::printf("%s{\"at\":%.6f,\"invariant\":\"%s\",\"text\":\"%s\"}", i == 0 ? "" : ",",
                  static_cast<double>(violation.at.ns) / 1e9, std::string(NameOf(violation.invariant)).c_str(),
                  violation.text.c_str());
    }
    std::printf("]}\n");
    return;
  }
  std::printf(
      "seed %llu %s: hash %016llx, %llu frames (%.1f a second to groups at rest), %llu openings, longest outage %.1f "
      "ms, "
      "%zu violations\n",
      static_cast<unsigned long long>(run.seed), scenario.c_str(), static_cast<unsigned long long>(run.hash),
      static_cast<unsigned long long>(run.frames), run.group_rate, static_cast<unsigned long long>(run.takeovers),
      static_cast<double>(run.longest_outage.ns) / 1e6, run.violations.size());
  for (const Violation& violation : run.violations) {
    std::printf("  %.6f s  %s: %s\n", static_cast<double>(violation.at.ns) / 1e9,
                std::string(NameOf(violation.invariant)).c_str(), violation.text.c_str());
  }
}

struct Sum {
  uint64_t runs = 0;
  uint64_t failed = 0;
  std::string first_failed;  // as it is asked for
  double node_seconds = 0;
  uint64_t frames = 0;
};

// Runs are handed out one by one and printed in their order: all scenarios of a seed, then those of the next.
Sum RunAll(const Options& options) {
  const uint64_t runs = options.seeds * options.scenarios.size();
  std::vector<std::optional<RunResult>> waiting(runs);
  std::atomic<uint64_t> next = 0;
  std::mutex mutex;
  uint64_t printed = 0;
  Sum sum;
  const auto work = [&] {
    for (uint64_t i = next++; i < runs; i = next++) {
      RunResult result = Run({.seed = options.seed + i / options.scenarios.size(),
                              .scenario = &options.scenarios[i % options.scenarios.size()],
                              .nodes = options.nodes,
                              .hours = options.hours,
                              .trace = options.trace});
      const std::lock_guard lock(mutex);
      waiting[i] = std::move(result);
      for (; printed < runs && waiting[printed]; ++printed) {
        const RunResult& run = *waiting[printed];
        Print(run, options);
        ++sum.runs;
        sum.node_seconds += run.node_seconds;
        sum.frames += run.frames;
        if (!run.violations.empty() && sum.failed++ == 0) {
          sum.first_failed = "--scenario " + std::string(run.scenario) + " --seed " + std::to_string(run.seed);
        }
        waiting[printed].reset();
      }
    }
  };
  std::vector<std::thread> threads;
  for (unsigned i = 0; i < options.jobs; ++i) threads.emplace_back(work);
  for (std::thread& thread : threads) thread.join();
  return sum;
}

int Main(int argc, char** argv) {
  const Options options = Parse(argc, argv);
  const auto start = std::chrono::steady_clock::now();
  const Sum sum = RunAll(options);
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  const double hours = sum.node_seconds / 3600;
  const double rate = seconds > 0 ? hours / seconds * 60 : 0;
  if (options.json) {
    std::printf(
        "{\"runs\":%llu,\"violating\":%llu,\"first\":\"%s\",\"node_hours\":%.3f,\"seconds\":%.3f,"
        "\"node_hours_per_minute\":%.1f,\"frames\":%llu}\n",
        static_cast<unsigned long long>(sum.runs), static_cast<unsigned long long>(sum.failed),
        sum.first_failed.c_str(), hours, seconds, rate, static_cast<unsigned long long>(sum.frames));
  } else {
    const std::string first = sum.failed == 0 ? "" : ", the first is " + sum.first_failed;
    std::printf("%llu runs, %llu with violations%s; %.2f node-hours in %.1f s (%.0f a minute), %llu frames\n",
                static_cast<unsigned long long>(sum.runs), static_cast<unsigned long long>(sum.failed), first.c_str(),
                hours, seconds, rate, static_cast<unsigned long long>(sum.frames));
  }
  return sum.failed == 0 ? 0 : 1;
}

}  // namespace
}  // namespace qure::sim

int main(int argc, char** argv) {
  return qure::sim::Main(argc, argv);
}
