#include "control/store/store_writer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <future>
#include <random>
#include <set>

#include "control/store/store.h"
#include "tests/support/temporary_directory.h"

namespace qure {
namespace {

using testing::ElementsAre;
using Result = StoreWriter::Result;

constexpr auto kDeadline = std::chrono::seconds(10);

StoreChange Uptime(uint64_t ms) {
  StoreChange change;
  change.life = {1, 1, ms};
  return change;
}

bool Readable(const StoreWriter& writer, int timeout_ms) {
  pollfd ready{writer.fd(), POLLIN, 0};
  return poll(&ready, 1, timeout_ms) > 0;
}

// The next `count` results; fewer after the deadline.
std::vector<Result> Await(StoreWriter* writer, size_t count) {
  std::vector<Result> results;
  const auto end = std::chrono::steady_clock::now() + kDeadline;
  while (results.size() < count && std::chrono::steady_clock::now() < end) {
    if (!Readable(*writer, 100)) continue;
    for (const Result& result : writer->TakeResults()) results.push_back(result);
  }
  return results;
}

// A slow store: every call waits for Release, and keeps its arguments.
class SlowStore {
 public:
  absl::Status Apply(std::span<const StoreChange> changes) {
    std::vector<uint64_t> values;
    for (const StoreChange& change : changes) values.push_back(change.life->uptime_ms);
    std::unique_lock lock(mutex_);
    calls_.push_back(values);
    changed_.notify_all();
    changed_.wait(lock, [this] { return !answers_.empty(); });
    absl::Status answer = answers_.front();
    answers_.erase(answers_.begin());
    return answer;
  }
  void Release(absl::Status answer) {
    const std::lock_guard lock(mutex_);
    answers_.push_back(std::move(answer));
    changed_.notify_all();
  }
  // The arguments of each call so far, once there are `count` calls.
  std::vector<std::vector<uint64_t>> Calls(size_t count) {
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, kDeadline, [&] { return calls_.size() >= count; });
    return calls_;
  }
  StoreWriter::Apply function() {
    return [this](std::span<const StoreChange> changes) { return Apply(changes); };
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::vector<uint64_t>> calls_;
  std::vector<absl::Status> answers_;
};

TEST(StoreWriterTest, ReportsEachTicketInOrder) {
  StoreWriter writer([](std::span<const StoreChange>) { return absl::OkStatus(); });
  for (uint64_t ticket = 1; ticket <= 3; ++ticket) writer.Write(ticket, Uptime(ticket));
  EXPECT_THAT(Await(&writer, 3), ElementsAre(Result{1, true}, Result{2, true}, Result{3, true}));
  EXPECT_FALSE(Readable(writer, 0));
}

TEST(StoreWriterTest, ASlowDiskDelaysNoCallerAndChangesThatWaitAreWrittenTogether) {
  SlowStore store;
  StoreWriter writer(store.function());
  writer.Write(1, Uptime(10));
  ASSERT_EQ(store.Calls(1).size(), 1u);  // under way, until Release
  writer.Write(2, Uptime(20));
  writer.Write(3, Uptime(30));
  EXPECT_FALSE(Readable(writer, 0));
  store.Release(absl::OkStatus());
  EXPECT_THAT(Await(&writer, 1), ElementsAre(Result{1, true}));
  EXPECT_THAT(store.Calls(2), ElementsAre(ElementsAre(10), ElementsAre(20, 30)));
  store.Release(absl::OkStatus());
  EXPECT_THAT(Await(&writer, 2), ElementsAre(Result{2, true}, Result{3, true}));
}

TEST(StoreWriterTest, FailedChangesAreWrittenWithTheNext) {
  SlowStore store;
  StoreWriter writer(store.function());
  store.Release(absl::ResourceExhaustedError("full"));
  writer.Write(1, Uptime(10));
  EXPECT_THAT(Await(&writer, 1), ElementsAre(Result{1, false}));
  EXPECT_EQ(writer.alarm(), "full");
  store.Release(absl::ResourceExhaustedError("full"));
  writer.Write(2, Uptime(20));
  EXPECT_THAT(Await(&writer, 1), ElementsAre(Result{2, false}));
  store.Release(absl::OkStatus());
  writer.Write(3, Uptime(30));
  EXPECT_THAT(Await(&writer, 2), ElementsAre(Result{3, true}, Result{StoreWriter::kRecovered, true}));
  EXPECT_EQ(writer.alarm(), "");
  store.Release(absl::OkStatus());
  writer.Write(4, Uptime(40));
  EXPECT_THAT(Await(&writer, 1), ElementsAre(Result{4, true}));
  EXPECT_THAT(store.Calls(4),
              ElementsAre(ElementsAre(10), ElementsAre(10, 20), ElementsAre(10, 20, 30), ElementsAre(40)));
}

TEST(StoreWriterTest, WritesChangesThatWaitBeforeItEnds) {
  SlowStore store;
  {
    StoreWriter writer(store.function());
    writer.Write(1, Uptime(10));
    ASSERT_EQ(store.Calls(1).size(), 1u);
    writer.Write(2, Uptime(20));
    store.Release(absl::OkStatus());
    store.Release(absl::OkStatus());
  }
  EXPECT_THAT(store.Calls(2), ElementsAre(ElementsAre(10), ElementsAre(20)));
}

// A disk that was full is free again, and nothing new is to be written for a minute.
TEST(FieldD5, WhatFailedIsTriedAgainByItselfAndTheAlarmEnds) {
  SlowStore store;
  StoreWriter writer(store.function(), "", Milliseconds(10));
  for (int i = 0; i < 3; ++i) store.Release(absl::ResourceExhaustedError("full"));
  writer.Write(1, Uptime(10));
  EXPECT_THAT(Await(&writer, 1), ElementsAre(Result{1, false}));
  EXPECT_THAT(store.Calls(4), ElementsAre(ElementsAre(10), ElementsAre(10), ElementsAre(10), ElementsAre(10)));
  EXPECT_EQ(writer.alarm(), "full");
  store.Release(absl::OkStatus());
  EXPECT_THAT(Await(&writer, 1), ElementsAre(Result{StoreWriter::kRecovered, true}));
  EXPECT_EQ(writer.alarm(), "");
  // What comes then does not repeat it.
  store.Release(absl::OkStatus());
  writer.Write(2, Uptime(20));
  EXPECT_THAT(Await(&writer, 1), ElementsAre(Result{2, true}));
  EXPECT_THAT(store.Calls(5).back(), ElementsAre(20));
}

TEST(FieldD5, AStoreThatCouldNotBeWrittenAtTheStartIsTriedAgainToo) {
  SlowStore store;
  StoreWriter writer(store.function(), "read-only; serving from memory", Milliseconds(10));
  EXPECT_EQ(writer.alarm(), "read-only; serving from memory");
  store.Release(absl::OkStatus());
  EXPECT_THAT(Await(&writer, 1), ElementsAre(Result{StoreWriter::kRecovered, true}));
  EXPECT_EQ(writer.alarm(), "");
}

TEST(FieldD5, WhatFailedIsTriedALastTimeAtTheEnd) {
  SlowStore store;
  {
    StoreWriter writer(store.function(), "", Seconds(1000));
    store.Release(absl::ResourceExhaustedError("full"));
    writer.Write(1, Uptime(10));
    EXPECT_THAT(Await(&writer, 1), ElementsAre(Result{1, false}));
    store.Release(absl::OkStatus());
  }
  EXPECT_THAT(store.Calls(2), ElementsAre(ElementsAre(10), ElementsAre(10)));
}

// No space beyond a file's first byte, for this process.
class FullDisk {
 public:
  FullDisk() {
    std::signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &before_);
    const rlimit full{.rlim_cur = 1, .rlim_max = before_.rlim_max};
    setrlimit(RLIMIT_FSIZE, &full);
  }
  ~FullDisk() { setrlimit(RLIMIT_FSIZE, &before_); }

 private:
  rlimit before_{};
};

TEST(FieldD5, ARealStoreIsWrittenAgain) {
  const TemporaryDirectory base;
  const std::string directory = base / "data";
  {
    const auto store = Store::Open(directory, "r");
    ASSERT_TRUE(store.ok()) << store.status();
    const auto apply = [&](std::span<const StoreChange> changes) { return (*store)->Apply(changes); };
    StoreWriter writer(apply, "", Milliseconds(10));
    {
      const FullDisk full;
      writer.Write(1, Uptime(77));
      ASSERT_THAT(Await(&writer, 1), ElementsAre(Result{1, false}));
      EXPECT_NE(writer.alarm(), "");
    }
    EXPECT_THAT(Await(&writer, 1), ElementsAre(Result{StoreWriter::kRecovered, true}));
    EXPECT_EQ(writer.alarm(), "");
  }
  const auto store = Store::Open(directory, "r");
  ASSERT_TRUE(store.ok()) << store.status();
  EXPECT_EQ((*store)->state().life.uptime_ms, 77u);
}

// The controller puts a reservation of epochs before changes with smaller tickets.
TEST(StoreWriterTest, TicketsMayComeInAnyOrder) {
  StoreWriter writer([](std::span<const StoreChange>) { return absl::OkStatus(); });
  for (const uint64_t ticket : {6, 1, 2}) writer.Write(ticket, Uptime(ticket));
  EXPECT_THAT(Await(&writer, 3), ElementsAre(Result{6, true}, Result{1, true}, Result{2, true}));
}

TEST(StoreWriterDeathTest, ATicketThatWaitsIsNotUsedAgain) {
  StoreWriter writer([](std::span<const StoreChange>) { return absl::OkStatus(); });
  writer.Write(2, Uptime(10));
  EXPECT_DEATH(writer.Write(2, Uptime(20)), "check failed.*ticket = 2");
}

// A process that persists without end, and reports to its parent through `acknowledged` what is durable.
[[noreturn]] void PersistForever(const std::string& directory, int acknowledged) {
  const auto store = Store::Open(directory, "r");
  if (!store.ok()) _exit(1);
  const uint64_t age = (*store)->state().age;
  const auto apply = [&](std::span<const StoreChange> changes) { return (*store)->Apply(changes); };
  StoreWriter writer(apply);
  uint64_t next = 1;
  uint64_t done = 0;
  while (true) {
    for (; next <= done + 3; ++next) {
      StoreChange change = Uptime(age << 32 | next);
      HistoryEvent event;
      event.node = (*store)->state().node_id;
      event.age = age;
      event.seq = static_cast<uint32_t>(next);
      change.events = {event};
      writer.Write(next, std::move(change));
    }
    pollfd ready{writer.fd(), POLLIN, 0};
    poll(&ready, 1, -1);
    for (const Result& result : writer.TakeResults()) {
      if (!result.ok) _exit(2);
      done = result.ticket;
      const std::array<uint64_t, 2> report = {age, done};
      if (write(acknowledged, report.data(), sizeof(report)) != sizeof(report)) _exit(3);
    }
  }
}

// At any instant a node is killed, everything acknowledged as durable is stored, and the ages only grow.
TEST(StoreCrashTest, KilledAtAnyInstantNothingAcknowledgedIsLost) {
  const TemporaryDirectory base;
  const std::string directory = base / "data";
  std::mt19937 random(1);
  std::set<std::pair<uint64_t, uint64_t>> acknowledged;
  for (int round = 0; round < 40; ++round) {
    int pipes[2];
    ASSERT_EQ(pipe(pipes), 0);
    const pid_t child = fork();
    ASSERT_GE(child, 0);
    if (child == 0) PersistForever(directory, pipes[1]);
    close(pipes[1]);
    // A few acknowledgements, then some microseconds more: within a write, a sync or a checkpoint.
    std::array<uint64_t, 2> report{};
    const auto count = std::uniform_int_distribution<int>(0, 30)(random);
    for (int i = 0; i < count && read(pipes[0], report.data(), sizeof(report)) == sizeof(report); ++i) {
      acknowledged.emplace(report[0], report[1]);
    }
    const auto instant =
        std::chrono::steady_clock::now() + std::chrono::microseconds(std::uniform_int_distribution(0, 3000)(random));
    while (std::chrono::steady_clock::now() < instant) {
    }
    kill(child, SIGKILL);
    int status = 0;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    ASSERT_TRUE(WIFSIGNALED(status)) << "the child failed by itself: " << WEXITSTATUS(status);
    while (read(pipes[0], report.data(), sizeof(report)) == sizeof(report)) acknowledged.emplace(report[0], report[1]);
    close(pipes[0]);

    const auto store = Store::Open(directory, "r");
    ASSERT_TRUE(store.ok()) << store.status();
    const StoredState& state = (*store)->state();
    ASSERT_FALSE(state.lost) << round;
    std::set<std::pair<uint64_t, uint64_t>> stored;
    for (const HistoryEvent& event : state.events) stored.emplace(event.age, event.seq);
    for (const auto& event : acknowledged) {
      ASSERT_TRUE(stored.contains(event)) << "age " << event.first << " seq " << event.second << " round " << round;
    }
    if (acknowledged.empty()) continue;
    const auto& [age, seq] = *acknowledged.rbegin();
    ASSERT_GE(state.life.uptime_ms, age << 32 | seq) << round;
    ASSERT_GT(state.age, age);
  }
  EXPECT_GT(acknowledged.size(), 100u);
}

}  // namespace
}  // namespace qure
