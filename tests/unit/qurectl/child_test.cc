#include "control/qurectl/child.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <iterator>

namespace qure {
namespace {

TEST(RunChild, GivesOutputAndExit) {
  const absl::StatusOr<Ended> said = RunChild({"sh", "-c", "echo \"$1\"; exit 3", "sh", "a b"}, Output::kTaken);
  ASSERT_TRUE(said.ok()) << said.status();
  EXPECT_EQ(said->output, "a b\n");
  EXPECT_EQ(said->status, 3);
  const absl::StatusOr<Ended> killed = RunChild({"sh", "-c", "kill -INT $$"}, Output::kShown);
  ASSERT_TRUE(killed.ok());
  EXPECT_EQ(killed->status, 128 + SIGINT);
}

TEST(RunChild, SaysThatThereIsNoSuchProgram) {
  EXPECT_EQ(RunChild({"/nowhere/program"}, Output::kTaken).status().code(), absl::StatusCode::kNotFound);
}

// A program that is interrupted at the terminal ends alone.
TEST(RunChild, WhatInterruptsTheChildDoesNotInterruptUs) {
  const absl::StatusOr<Ended> ended = RunChild({"sh", "-c", "kill -INT $PPID; echo on"}, Output::kTaken);
  ASSERT_TRUE(ended.ok());
  EXPECT_EQ(ended->output, "on\n");
  EXPECT_EQ(signal(SIGINT, SIG_DFL), SIG_DFL) << "as before";
}

TEST(PrivateDirectory, IsForThisUserAloneAndRemoved) {
  std::string path;
  {
    PrivateDirectory directory;
    ASSERT_TRUE(directory.Make().ok());
    const absl::StatusOr<std::string> written = directory.Write("name", "text");
    ASSERT_TRUE(written.ok()) << written.status();
    path = *written;
    std::ifstream file(path);
    EXPECT_EQ((std::string{std::istreambuf_iterator<char>(file), {}}), "text");
    struct stat status {};
    ASSERT_EQ(stat(std::filesystem::path(path).parent_path().c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 0777, 0700u);
  }
  EXPECT_FALSE(std::filesystem::exists(path));
  {
    PrivateDirectory directory;
    ASSERT_TRUE(directory.Make().ok());
    path = *directory.Write("name", "text");
    directory.Keep();
  }
  EXPECT_TRUE(std::filesystem::exists(path));
  std::filesystem::remove_all(std::filesystem::path(path).parent_path());
}

}  // namespace
}  // namespace qure
