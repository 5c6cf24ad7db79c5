// Three to five nodes with the configuration's production code, virtual time, a LAN that cuts and loses, stores that
// take their time, kills and restarts; and a judge that looks at every node after every event (I15). All of it follows
// from a seed.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <queue>
#include <random>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "control/core/config/configuration.h"
#include "proto/time.h"
#include "tests/unit/cluster_config/support.h"

namespace qure::clusterconfig::test {

struct Plan {
  uint32_t seed = 1;
  int nodes = 3;
  int cuts = 2;
  int kills = 2;
  Duration length = Seconds(40);  // with changes and harm; then all is well, for long enough to settle
};

// What a run has come to; it counts, too, so that a test can see that something happened.
struct Result {
  std::vector<std::string> violations;
  int proposed = 0;
  int taken = 0;  // open or confirmed at their master
  int refused_by_canary = 0;
  int confirmed = 0;  // by an operator
  int rolled_back = 0;
};

class World {
 public:
  explicit World(const Plan& plan);
  Result Run();

  // For runs that are written out.
  void PassTime(Duration span);
  void Propose(int node, const Request& request);
  bool Confirm(int node, const Version& version);
  void Cut(const std::vector<int>& side);
  void Heal();
  void Kill(int node);
  void Boot(int node);
  std::optional<Version> InEffect(int node) const;
  Version RunningAt(int node) const { return nodes_[static_cast<size_t>(node)].running; }
  // Judges the end: all equal, and what was confirmed in time is kept.
  void JudgeEnd();
  const Result& result() const { return result_; }
  MonoTime now() const { return now_; }

 private:
  struct SimNode {
    uint8_t number = 0;
    bool up = false;
    int side = 0;
    uint64_t boots = 0;
    Disk disk;
    std::unique_ptr<Configuration> config;
    std::optional<Mastership> master;
    uint64_t epoch_seen = 0;
    Version running;
    bool on_trial = false;
    std::string body;                       // that runs
    std::map<Version, MonoTime> deadlines;  // of what is open here, in this boot
    std::set<Version> opened_before;        // in boots before
  };
  struct Event {
    MonoTime at;
    uint64_t order;
    std::function<void()> run;
    bool operator>(const Event& other) const { return std::pair(at, order) > std::pair(other.at, other.order); }
  };

  Duration Some(int64_t least_ms, int64_t most_ms) {
    return Microseconds(std::uniform_int_distribution<int64_t>(least_ms * 1000, most_ms * 1000)(random_));
  }
  bool OneOf(uint32_t n) { return random_() % n == 0; }
  SimNode& Of(int node) { return nodes_[static_cast<size_t>(node)]; }
  const SimNode& Of(int node) const { return nodes_[static_cast<size_t>(node)]; }
  int count() const { return static_cast<int>(nodes_.size()); }
  bool Together(int a, int b) const { return Of(a).up && Of(b).up && Of(a).side == Of(b).side; }
  admission::RecordHead HeadNow() const { return Head(static_cast<uint64_t>(now_.ns / 1'000'000)); }

  void At(Duration after, std::function<void()> run) { events_.push({now_ + after, ++order_, std::move(run)}); }
  // Runs only if the node was not killed meanwhile.
  void AtNode(int node, Duration after, std::function<void()> run);
  void RunUntil(MonoTime until);

  template <typename Call>
  void Do(int node, Call call);
  void Perform(int node, Action action);
  void Send(int from, int to, const Message& message);
  void OnApply(int node, const Apply& apply);
  void Beat(int node);
  void Elect();
  Health HealthOf(int node) const;

  void Harm();
  void Operate();

  void Violate(const std::string& what);
  void Judge(int node);
  void JudgeOpen(int node);
  void JudgeRunning(int node);
  void JudgeEqual();

  Plan plan_;
  std::mt19937 random_;
  std::vector<SimNode> nodes_;
  admission::View view_;
  std::priority_queue<Event, std::vector<Event>, std::greater<>> events_;
  uint64_t order_ = 0;
  MonoTime now_;
  uint64_t next_id_ = 0;
  int elections_ = 0;
  int cuts_ = 0;
  int kills_ = 0;

  std::set<Version> decided_;  // its master has sent that it is open or confirmed
  std::set<Version> in_time_;  // confirmed, durably, at some node
  MonoTime disturbed_;         // the last cut, kill, boot or heal
  std::optional<MonoTime> differs_since_;
  Result result_;
};

}  // namespace qure::clusterconfig::test
