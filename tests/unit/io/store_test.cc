#include "control/io/store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

namespace qure {
namespace {

using testing::AllOf;
using testing::HasSubstr;

class StoreTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (std::filesystem::temp_directory_path() / "qure-store-XXXXXX").string();
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    base_ = pattern;
    directory_ = base_ + "/data";
  }
  void TearDown() override { std::filesystem::remove_all(base_); }

  std::string file() const { return directory_ + "/qure.db"; }

  // Runs SQL on the closed file.
  void Run(const char* sql) const {
    sqlite3* db = nullptr;
    ASSERT_EQ(sqlite3_open(file().c_str(), &db), SQLITE_OK);
    EXPECT_EQ(sqlite3_exec(db, sql, nullptr, nullptr, nullptr), SQLITE_OK) << sqlite3_errmsg(db);
    sqlite3_close(db);
  }

  // What Open says when it fails.
  std::string OpenError(absl::StatusCode code) const {
    const absl::Status status = Store::Open(directory_).status();
    EXPECT_EQ(status.code(), code) << status;
    return std::string(status.message());
  }

  std::string base_;
  std::string directory_;
};

mode_t ModeOf(const std::string& path) {
  struct stat status = {};
  EXPECT_EQ(stat(path.c_str(), &status), 0) << path;
  return status.st_mode & 0777;
}

TEST_F(StoreTest, FirstBootDrawsAnIdentity) {
  const auto store = Store::Open(directory_);
  ASSERT_TRUE(store.ok()) << store.status();
  EXPECT_NE((*store)->node_id(), NodeId{});
  EXPECT_EQ((*store)->age(), 1u);
}

TEST_F(StoreTest, IsForItsOwnerOnly) {
  const auto store = Store::Open(directory_);
  ASSERT_TRUE(store.ok()) << store.status();
  EXPECT_EQ(ModeOf(directory_), 0700u);
  EXPECT_EQ(ModeOf(file()), 0600u);
  EXPECT_EQ(ModeOf(file() + "-wal"), 0600u);
}

TEST_F(StoreTest, KeepsTheIdentityAndCountsBoots) {
  NodeId id{};
  for (uint64_t boot = 1; boot <= 3; ++boot) {
    const auto store = Store::Open(directory_);
    ASSERT_TRUE(store.ok()) << store.status();
    if (boot == 1) id = (*store)->node_id();
    EXPECT_EQ((*store)->node_id(), id);
    EXPECT_EQ((*store)->age(), boot);
  }
}

TEST_F(StoreTest, DirectoriesHaveIdentitiesOfTheirOwn) {
  const auto one = Store::Open(base_ + "/one");
  const auto two = Store::Open(base_ + "/two");
  ASSERT_TRUE(one.ok() && two.ok());
  EXPECT_NE((*one)->node_id(), (*two)->node_id());
}

TEST_F(StoreTest, RemembersABootThatWasKilled) {
  const pid_t child = fork();
  if (child == 0) {
    const auto store = Store::Open(directory_);
    if (store.ok()) raise(SIGKILL);
    _exit(1);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFSIGNALED(status));
  const auto store = Store::Open(directory_);
  ASSERT_TRUE(store.ok()) << store.status();
  EXPECT_EQ((*store)->age(), 2u);
}

TEST_F(StoreTest, RefusesASecondProcess) {
  const auto store = Store::Open(directory_);
  ASSERT_TRUE(store.ok()) << store.status();
  const pid_t child = fork();
  if (child == 0) {
    const absl::Status refused = Store::Open(directory_).status();
    const std::string message(refused.message());
    _exit(absl::IsFailedPrecondition(refused) && message.find("another qured uses it") != std::string::npos ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

TEST_F(StoreTest, RefusesASecondTimeInTheSameProcess) {
  const auto store = Store::Open(directory_);
  ASSERT_TRUE(store.ok()) << store.status();
  EXPECT_THAT(OpenError(absl::StatusCode::kFailedPrecondition),
              AllOf(HasSubstr(file()), HasSubstr("another qured uses it")));
}

TEST_F(StoreTest, RefusesANewerSchemaAndLeavesItAlone) {
  ASSERT_TRUE(Store::Open(directory_).ok());
  Run("PRAGMA user_version = 7");
  EXPECT_THAT(OpenError(absl::StatusCode::kFailedPrecondition),
              AllOf(HasSubstr(file()), HasSubstr("schema version 7"), HasSubstr("run that one")));
  Run("PRAGMA user_version = 1");
  const auto store = Store::Open(directory_);
  ASSERT_TRUE(store.ok()) << store.status();
  EXPECT_EQ((*store)->age(), 2u);
}

TEST_F(StoreTest, NamesAFileThatIsNoDatabase) {
  std::filesystem::create_directories(directory_);
  std::ofstream(file()) << std::string(4096, 'x');
  EXPECT_THAT(OpenError(absl::StatusCode::kDataLoss), AllOf(HasSubstr(file()), HasSubstr("move it away")));
}

TEST_F(StoreTest, NamesAFileThatIsTorn) {
  ASSERT_TRUE(Store::Open(directory_).ok());
  const auto size = static_cast<std::streamoff>(std::filesystem::file_size(file()));
  std::fstream torn(file(), std::ios::in | std::ios::out | std::ios::binary);
  torn.seekp(size / 2);
  torn << std::string(static_cast<size_t>(size / 2), '\xff');
  torn.close();
  EXPECT_THAT(OpenError(absl::StatusCode::kDataLoss), AllOf(HasSubstr(file()), HasSubstr("move it away")));
}

TEST_F(StoreTest, RefusesAnIdentityThatCannotBe) {
  ASSERT_TRUE(Store::Open(directory_).ok());
  Run("PRAGMA ignore_check_constraints = ON; UPDATE identity SET node_id = x'00'");
  EXPECT_THAT(OpenError(absl::StatusCode::kDataLoss), HasSubstr("move it away"));
}

TEST_F(StoreTest, RefusesADatabaseOfSomeoneElse) {
  ASSERT_TRUE(Store::Open(directory_).ok());
  Run("DROP TABLE identity");
  EXPECT_THAT(OpenError(absl::StatusCode::kDataLoss), HasSubstr("move it away"));
}

TEST_F(StoreTest, NamesADirectoryThatCannotBe) {
  std::ofstream(directory_) << "a file";
  const absl::Status status = Store::Open(directory_).status();
  EXPECT_FALSE(status.ok());
  EXPECT_THAT(std::string(status.message()), HasSubstr(directory_));
}

}  // namespace
}  // namespace qure
