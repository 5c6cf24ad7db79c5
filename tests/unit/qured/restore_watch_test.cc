#include "control/qured/restore_watch.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <fstream>
#include <string>

#include "control/base/kernel_random.h"

namespace qure {
namespace {

constexpr MonoTime kStart{1'000'000'000'000};
constexpr uint64_t kWall = 1'800'000'000'000;

class FieldE10RestoreWatch : public ::testing::Test {
 protected:
  ~FieldE10RestoreWatch() override { std::remove(path_.c_str()); }
  void Write(char id) const {
    std::ofstream(path_, std::ios::binary | std::ios::trunc) << std::string(40, '\0') << std::string(16, id);
  }
  // What it says `seconds` after the start, with the wall clock `ahead` of what has passed.
  static bool Found(RestoreWatch* watch, int seconds, Duration ahead = {}) {
    const int64_t wall_ms = seconds * 1000 + ahead.ns / Milliseconds(1).ns;
    return watch->Look(kStart + Seconds(seconds), kWall + static_cast<uint64_t>(wall_ms)).has_value();
  }

  const std::string path_ = ::testing::TempDir() + "vmgenid-" + std::to_string(getpid());
};

TEST_F(FieldE10RestoreWatch, SeesAnotherGenerationOnce) {
  Write('a');
  RestoreWatch watch(path_);
  EXPECT_FALSE(Found(&watch, 0));
  EXPECT_FALSE(Found(&watch, 1));
  Write('b');
  EXPECT_TRUE(Found(&watch, 2));
  EXPECT_FALSE(Found(&watch, 3));
}

TEST_F(FieldE10RestoreWatch, NoGenerationIdIsNoRestore) {
  RestoreWatch watch(path_);
  EXPECT_FALSE(Found(&watch, 0));
  EXPECT_FALSE(Found(&watch, 1));
}

TEST_F(FieldE10RestoreWatch, SeesTheWallClockJumpAhead) {
  RestoreWatch watch(path_);
  EXPECT_FALSE(Found(&watch, 0));
  EXPECT_FALSE(Found(&watch, 1, Seconds(4)));
  EXPECT_FALSE(Found(&watch, 2, Seconds(-3600)));  // set back
  EXPECT_TRUE(Found(&watch, 3, Seconds(3)));
  EXPECT_FALSE(Found(&watch, 4, Seconds(3)));
}

// Both go on from one state of their memory.
TEST(FieldE10KernelRandom, TwoCopiesOfAProcessDrawDifferently) {
  KernelRandom random;
  random();
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  const pid_t copy = fork();
  const uint64_t drawn = random();
  constexpr auto kSize = static_cast<ssize_t>(sizeof(drawn));
  if (copy == 0) _exit(write(ends[1], &drawn, sizeof(drawn)) == kSize ? 0 : 1);
  uint64_t other = 0;
  ASSERT_EQ(read(ends[0], &other, sizeof(other)), kSize);
  waitpid(copy, nullptr, 0);
  close(ends[0]);
  close(ends[1]);
  EXPECT_NE(drawn, other);
}

}  // namespace
}  // namespace qure
