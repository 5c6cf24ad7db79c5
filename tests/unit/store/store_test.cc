#include "control/store/store.h"

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
#include <iterator>
#include <string>

#include "absl/strings/str_cat.h"
#include "control/store/store_rows.h"

namespace qure {
namespace {

using testing::AllOf;
using testing::HasSubstr;

constexpr char kRevision[] = "v1-5-gabcdef";

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

  // The error of Open, which must have `code`.
  std::string OpenError(absl::StatusCode code) const {
    const absl::Status status = Store::Open(directory_, kRevision).status();
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
  const auto store = Store::Open(directory_, kRevision);
  ASSERT_TRUE(store.ok()) << store.status();
  EXPECT_NE((*store)->state().node_id, NodeId{});
  EXPECT_EQ((*store)->state().age, 1u);
}

TEST_F(StoreTest, OnlyTheOwnerCanRead) {
  const auto store = Store::Open(directory_, kRevision);
  ASSERT_TRUE(store.ok()) << store.status();
  EXPECT_EQ(ModeOf(directory_), 0700u);
  EXPECT_EQ(ModeOf(file()), 0600u);
  EXPECT_EQ(ModeOf(file() + "-wal"), 0600u);
}

TEST_F(StoreTest, KeepsTheIdentityAndCountsBoots) {
  NodeId id{};
  for (uint64_t boot = 1; boot <= 3; ++boot) {
    const auto store = Store::Open(directory_, kRevision);
    ASSERT_TRUE(store.ok()) << store.status();
    if (boot == 1) id = (*store)->state().node_id;
    EXPECT_EQ((*store)->state().node_id, id);
    EXPECT_EQ((*store)->state().age, boot);
  }
}

TEST_F(StoreTest, EachDirectoryHasItsOwnIdentity) {
  const auto one = Store::Open(base_ + "/one", kRevision);
  const auto two = Store::Open(base_ + "/two", kRevision);
  ASSERT_TRUE(one.ok() && two.ok());
  EXPECT_NE((*one)->state().node_id, (*two)->state().node_id);
}

TEST_F(StoreTest, RemembersABootThatWasKilled) {
  const pid_t child = fork();
  if (child == 0) {
    const auto store = Store::Open(directory_, kRevision);
    if (store.ok()) raise(SIGKILL);
    _exit(1);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFSIGNALED(status));
  const auto store = Store::Open(directory_, kRevision);
  ASSERT_TRUE(store.ok()) << store.status();
  EXPECT_EQ((*store)->state().age, 2u);
}

TEST_F(StoreTest, RefusesASecondProcess) {
  const auto store = Store::Open(directory_, kRevision);
  ASSERT_TRUE(store.ok()) << store.status();
  const pid_t child = fork();
  if (child == 0) {
    const absl::Status refused = Store::Open(directory_, kRevision).status();
    const std::string message(refused.message());
    _exit(absl::IsFailedPrecondition(refused) && message.find("another qured uses it") != std::string::npos ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

TEST_F(StoreTest, RefusesASecondTimeInTheSameProcess) {
  const auto store = Store::Open(directory_, kRevision);
  ASSERT_TRUE(store.ok()) << store.status();
  EXPECT_THAT(OpenError(absl::StatusCode::kFailedPrecondition),
              AllOf(HasSubstr(file()), HasSubstr("another qured uses it")));
}

TEST_F(StoreTest, RefusesANewerSchemaAndLeavesItAlone) {
  ASSERT_TRUE(Store::Open(directory_, kRevision).ok());
  Run(absl::StrCat("PRAGMA user_version = ", kSchemaVersion + 1).c_str());
  EXPECT_THAT(OpenError(absl::StatusCode::kFailedPrecondition),
              AllOf(HasSubstr(file()), HasSubstr(absl::StrCat("schema version ", kSchemaVersion + 1)),
                    HasSubstr("run that one")));
  Run(absl::StrCat("PRAGMA user_version = ", kSchemaVersion).c_str());
  const auto store = Store::Open(directory_, kRevision);
  ASSERT_TRUE(store.ok()) << store.status();
  EXPECT_EQ((*store)->state().age, 2u);
}

// A damaged file is kept for inspection, and does not stop the node.
class DamagedStoreTest : public StoreTest {
 protected:
  void SetUp() override {
    StoreTest::SetUp();
    const auto store = Store::Open(directory_, kRevision);
    ASSERT_TRUE(store.ok()) << store.status();
    before_ = (*store)->state().node_id;
  }

  void ExpectNewStore() {
    std::filesystem::copy_file(file(), base_ + "/copy");
    const auto store = Store::Open(directory_, kRevision);
    ASSERT_TRUE(store.ok()) << store.status();
    EXPECT_TRUE((*store)->state().lost);
    EXPECT_EQ((*store)->state().age, 1u);
    EXPECT_NE((*store)->state().node_id, before_);
    EXPECT_EQ(ReadFile(file() + ".damaged-1"), ReadFile(base_ + "/copy"));
    EXPECT_FALSE((*store)->state().hardware_changed);
  }

  static std::string ReadFile(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    EXPECT_TRUE(file) << path;
    return {std::istreambuf_iterator<char>(file), {}};
  }

  NodeId before_{};
};

TEST_F(DamagedStoreTest, NoDatabase) {
  std::ofstream(file()) << std::string(4096, 'x');
  ExpectNewStore();
}

TEST_F(DamagedStoreTest, Torn) {
  const auto size = static_cast<std::streamoff>(std::filesystem::file_size(file()));
  std::fstream torn(file(), std::ios::in | std::ios::out | std::ios::binary);
  torn.seekp(size / 2);
  torn << std::string(static_cast<size_t>(size / 2), '\xff');
  torn.close();
  ExpectNewStore();
}

TEST_F(DamagedStoreTest, CutShort) {
  std::filesystem::resize_file(file(), std::filesystem::file_size(file()) / 2 + 7);
  ExpectNewStore();
}

TEST_F(DamagedStoreTest, InvalidIdentity) {
  Run("PRAGMA ignore_check_constraints = ON; UPDATE identity SET node_id = x'00'");
  ExpectNewStore();
}

TEST_F(DamagedStoreTest, DatabaseOfAnotherProgram) {
  Run("DROP TABLE identity");
  ExpectNewStore();
}

TEST_F(DamagedStoreTest, DatabaseOfAnotherProgramWithoutVersion) {
  Run("PRAGMA user_version = 0");
  ExpectNewStore();
}

TEST_F(DamagedStoreTest, EmptiedFileIsALostStore) {
  std::filesystem::resize_file(file(), 0);
  const auto store = Store::Open(directory_, kRevision);
  ASSERT_TRUE(store.ok()) << store.status();
  EXPECT_TRUE((*store)->state().lost);
  EXPECT_NE((*store)->state().node_id, before_);
}

TEST_F(DamagedStoreTest, EachIsKept) {
  for (int i = 1; i <= 3; ++i) {
    std::ofstream(file()) << std::string(4096, static_cast<char>('a' + i));
    ASSERT_TRUE(Store::Open(directory_, kRevision).ok());
    EXPECT_EQ(ReadFile(file() + ".damaged-" + std::to_string(i))[0], 'a' + i);
  }
}

TEST_F(DamagedStoreTest, LostIsReportedOnce) {
  std::ofstream(file()) << "damaged";
  ASSERT_TRUE(Store::Open(directory_, kRevision).ok());
  const auto store = Store::Open(directory_, kRevision);
  ASSERT_TRUE(store.ok()) << store.status();
  EXPECT_FALSE((*store)->state().lost);
  EXPECT_EQ((*store)->state().age, 2u);
}

TEST_F(StoreTest, NamesADirectoryThatCannotBeCreated) {
  std::ofstream(directory_) << "a file";
  const absl::Status status = Store::Open(directory_, kRevision).status();
  EXPECT_FALSE(status.ok());
  EXPECT_THAT(std::string(status.message()), HasSubstr(directory_));
}

}  // namespace
}  // namespace qure
