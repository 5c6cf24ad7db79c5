#include "control/base/ownership.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <functional>
#include <thread>

#include "tests/support/temporary_directory.h"

namespace qure {
namespace {

using ::testing::HasSubstr;

unsigned ModeOf(const std::string& path) {
  struct stat info {};
  return stat(path.c_str(), &info) == 0 ? info.st_mode & 07777 : 0;
}

TEST(Ownership, DirectoryIsMadePrivateWithItsParents) {
  const TemporaryDirectory root;
  ASSERT_TRUE(MakePrivateDirectory(root / "a/b").ok());
  EXPECT_EQ(ModeOf(root / "a/b"), 0700u);
}

TEST(Ownership, ExistingDirectoryKeepsItsMode) {
  const TemporaryDirectory root;
  std::filesystem::create_directory(root / "a");
  std::filesystem::permissions(root / "a", std::filesystem::perms(0755));
  ASSERT_TRUE(MakePrivateDirectory(root / "a").ok());
  EXPECT_EQ(ModeOf(root / "a"), 0755u);
}

TEST(Ownership, ErrorNamesThePath) {
  const TemporaryDirectory root;
  std::ofstream(root / "file") << "in the way";
  const absl::Status made = MakePrivateDirectory(root / "file/data");
  ASSERT_FALSE(made.ok());
  EXPECT_THAT(std::string(made.message()), HasSubstr(root / "file/data"));
}

// Its lock file leads to itself: not even root can open it.
TEST(FieldD10, DirectoryThatCannotBeWrittenIsNamed) {
  const TemporaryDirectory root;
  std::filesystem::create_directory(root / "data");
  std::filesystem::create_symlink("lock", root / "data/lock");
  const absl::StatusOr<Fd> owned = OwnDirectory(root / "data");
  ASSERT_FALSE(owned.ok());
  EXPECT_THAT(std::string(owned.status().message()), HasSubstr("data_directory"));
}

TEST(Ownership, DirectoryHasOneOwnerAtATime) {
  const TemporaryDirectory root;
  {
    const absl::StatusOr<Fd> first = OwnDirectory(root / "data");
    ASSERT_TRUE(first.ok()) << first.status();
    const absl::StatusOr<Fd> second = OwnDirectory(root / "data");
    EXPECT_EQ(second.status().code(), absl::StatusCode::kFailedPrecondition);
    EXPECT_THAT(std::string(second.status().message()), HasSubstr("another qured"));
  }
  EXPECT_TRUE(OwnDirectory(root / "data").ok());
}

// Runs `body` in a thread with a network namespace of its own. False where that is not allowed.
bool InNewNetworkNamespace(const std::function<void()>& body) {
  bool allowed = false;
  std::thread([&] {
    allowed = unshare(CLONE_NEWNET) == 0;
    if (allowed) body();
  }).join();
  return allowed;
}

TEST(Ownership, NetworkNamespaceHasOneOwnerAtATime) {
  const bool allowed = InNewNetworkNamespace([] {
    {
      const absl::StatusOr<Fd> first = OwnNetworkNamespace();
      ASSERT_TRUE(first.ok()) << first.status();
      EXPECT_EQ(OwnNetworkNamespace().status().code(), absl::StatusCode::kFailedPrecondition);
      InNewNetworkNamespace([] { EXPECT_TRUE(OwnNetworkNamespace().ok()) << "of another namespace"; });
    }
    EXPECT_TRUE(OwnNetworkNamespace().ok());
  });
  if (!allowed) GTEST_SKIP() << "needs root";
}

}  // namespace
}  // namespace qure
