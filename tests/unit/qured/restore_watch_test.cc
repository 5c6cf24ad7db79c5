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

class FieldE10RestoreWatch : public ::testing::Test {
 protected:
  ~FieldE10RestoreWatch() override { std::remove(path_.c_str()); }
  // The page that QEMU shows: the id begins at its byte 40.
  void Write(char id, size_t length = 16) const {
    std::ofstream(path_, std::ios::binary | std::ios::trunc) << std::string(40, '\0') << std::string(length, id);
  }

  const std::string path_ = ::testing::TempDir() + "vmgenid-" + std::to_string(getpid());
};

TEST_F(FieldE10RestoreWatch, SeesAnotherGenerationOnce) {
  Write('a');
  RestoreWatch watch(path_);
  EXPECT_FALSE(watch.Look());
  Write('b');
  EXPECT_TRUE(watch.Look());
  EXPECT_FALSE(watch.Look());
}

TEST_F(FieldE10RestoreWatch, WhatCannotBeReadIsNoRestoration) {
  RestoreWatch without(path_);
  EXPECT_FALSE(without.Look());
  Write('a');
  EXPECT_FALSE(without.Look()) << "a module that was loaded late";
  RestoreWatch watch(path_);
  Write('b', 15);
  EXPECT_FALSE(watch.Look());
  std::remove(path_.c_str());
  EXPECT_FALSE(watch.Look());
  Write('a');
  EXPECT_FALSE(watch.Look());
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

// A kernel that was restored, too, gives the same.
TEST(FieldE10KernelRandom, TheInstantMakesEqualNumbersDiffer) {
  constexpr uint64_t kDrawn = 0x0123456789abcdef;
  constexpr MonoTime kNow{1'000'000'000'000};
  EXPECT_EQ(Fresh(kDrawn, kNow), Fresh(kDrawn, kNow));
  for (int bit = 0; bit < 62; ++bit)
    EXPECT_NE(Fresh(kDrawn, kNow), Fresh(kDrawn, {kNow.ns ^ int64_t{1} << bit})) << bit;
}

}  // namespace
}  // namespace qure
