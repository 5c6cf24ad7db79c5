// The state after a restart: every field, from an older schema, and from a file that cannot be written.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sqlite3.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <functional>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "control/core/admission/handshake.h"
#include "control/store/store.h"
#include "control/store/store_rows.h"
#include "tests/support/temporary_directory.h"

namespace qure {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::UnorderedElementsAre;
using testing::UnorderedElementsAreArray;

constexpr char kRevision[] = "v1-5-gabcdef";
constexpr MacAddress kMac{{0x52, 0x54, 0, 0, 0, 1}};
constexpr MacAddress kOtherMac{{0x52, 0x54, 0, 0, 0, 2}};

NodeId Node(uint8_t n) {
  NodeId node{};
  node.fill(n);
  return node;
}

// With bits in every byte of the numbers, so that a truncation shows.
HistoryEvent Event(const NodeId& node, uint64_t age, uint32_t seq, uint32_t era = 3) {
  HistoryEvent event;
  event.node = node;
  event.age = age;
  event.seq = seq;
  event.era = era;
  event.lineage = 0xfedcba9876543210;
  event.term = {era, 0x8000000000000001, 0xffffffffffffffff};
  event.kind = HistoryKind::kHandover;
  event.time = 0xf1f2f3f4f5f6f7f8;
  event.subject = Node(9);
  event.text = "it's \"text\", ünicode; DROP TABLE events";
  return event;
}

EraSummary Summary(uint32_t era, uint32_t boots) {
  return {era, 0xfedcba9876543210, 11, 0xfffffffffffffff0, boots, 5, 3, Node(4)};
}

class StoreStateTest : public testing::Test {
 protected:
  std::unique_ptr<Store> Open(const char* revision = kRevision) {
    auto store = Store::Open(directory_, revision);
    if (!store.ok()) {
      ADD_FAILURE() << store.status();
      return nullptr;
    }
    return *std::move(store);
  }
  // The state that a restart finds after `changes`.
  StoredState After(const std::vector<StoreChange>& changes) {
    const absl::Status applied = Open()->Apply(changes);
    EXPECT_TRUE(applied.ok()) << applied;
    return Open()->state();
  }

  const TemporaryDirectory base_;
  const std::string directory_ = base_ / "data";
};

TEST_F(StoreStateTest, NothingIsKnownAtFirst) {
  const StoredState state = Open()->state();
  EXPECT_EQ(state.revision, "");
  EXPECT_EQ(state.age_at_revision, 1u);
  EXPECT_FALSE(state.hardware_changed);
  EXPECT_FALSE(state.lost);
  EXPECT_EQ(state.life, StoredLife{});
  EXPECT_EQ(state.epochs, StoredEpochs{});
  EXPECT_EQ(state.keyring, Keyring{});
  EXPECT_FALSE(state.maintenance);
  EXPECT_EQ(state.joined, std::nullopt);
  EXPECT_THAT(state.events, IsEmpty());
  EXPECT_THAT(state.summaries, IsEmpty());
}

TEST_F(StoreStateTest, KeepsEveryField) {
  StoreChange change;
  change.life = {7, 0xfedcba9876543210, 0xffffffffffff};
  change.epochs = {7, 0x8000000000000040};
  change.keyring = {{{1, {1, 2, 3}}, {0xffffffff, {4, 5, 6}, {7, 8}}}, 0xffffffff};
  change.maintenance = true;
  change.events = {Event(Node(1), 4, 1), Event(Node(1), 4, 2), Event(Node(2), 0xffffffffff, 0xffffffff)};
  change.summaries = {Summary(1, 2), Summary(0xffffffff, 3)};
  change.records = {{1, 2, 3}, {0}};
  change.joined = {
      .name = "home", .id = ClusterId{1, 2}, .port = 0xfffe, .group = {{239, 1, 2, 3}}, .first = "[cluster]\n# it's\n"};
  const StoredState state = After({change});
  EXPECT_EQ(state.life, *change.life);
  EXPECT_EQ(state.epochs, *change.epochs);
  EXPECT_EQ(state.keyring, *change.keyring);
  EXPECT_TRUE(state.maintenance);
  EXPECT_THAT(state.events, UnorderedElementsAreArray(change.events));
  EXPECT_THAT(state.summaries, UnorderedElementsAreArray(change.summaries));
  EXPECT_THAT(state.records, UnorderedElementsAreArray(*change.records));
  EXPECT_EQ(state.joined, change.joined);
}

clusterconfig::Version VersionOf(uint64_t n) {
  return {.term = {3, 0x8000000000000001, 0xffffffffffffffff}, .n = n, .check = 7};
}

TEST_F(StoreStateTest, KeepsVersionsOfTheConfiguration) {
  const clusterconfig::StoredVersion confirmed{
      .entry = {1, 2}, .confirm = {3}, .stage = clusterconfig::Stage::kConfirmed, .was_in_effect = true};
  const clusterconfig::StoredVersion expired{
      .entry = {4}, .stage = clusterconfig::Stage::kExpired, .acknowledged = true};
  const auto body = std::make_shared<const std::string>("a\0b\n", 4);
  StoreChange change;
  change.config = clusterconfig::Save{.ticket = 5,
                                      .put = {{VersionOf(1), confirmed}, {VersionOf(2), expired}},
                                      .put_bodies = {{clusterconfig::Digest{1}, body}}};
  const clusterconfig::StoredConfig stored = After({change}).config;
  EXPECT_THAT(stored.versions, UnorderedElementsAre(confirmed, expired));
  EXPECT_THAT(stored.bodies, ElementsAre(*body));
}

TEST_F(StoreStateTest, VersionsOfTheConfigurationAreReplacedAndDropped) {
  const clusterconfig::StoredVersion open{.entry = {1}, .stage = clusterconfig::Stage::kOpen};
  clusterconfig::StoredVersion later = open;
  later.stage = clusterconfig::Stage::kExpired;
  const auto body = std::make_shared<const std::string>("text");
  StoreChange first;
  first.config =
      clusterconfig::Save{.put = {{VersionOf(1), open}, {VersionOf(2), open}},
                          .put_bodies = {{clusterconfig::Digest{1}, body}, {clusterconfig::Digest{2}, body}}};
  StoreChange second;
  second.config = clusterconfig::Save{
      .put = {{VersionOf(1), later}}, .drop = {VersionOf(2)}, .drop_bodies = {clusterconfig::Digest{2}}};
  const clusterconfig::StoredConfig stored = After({first, second, StoreChange{}}).config;
  EXPECT_THAT(stored.versions, ElementsAre(later));
  EXPECT_EQ(stored.bodies.size(), 1u);
}

TEST_F(StoreStateTest, RecordsAreReplaced) {
  StoreChange first;
  first.records = {{1}, {2}};
  StoreChange second;
  second.records = {{2}, {3}};
  EXPECT_THAT(After({first, second, StoreChange{}}).records,
              UnorderedElementsAre(std::vector<uint8_t>{2}, std::vector<uint8_t>{3}));
}

// Nobody can choose the id of another node: it follows from the key that signs for it.
TEST_F(StoreStateTest, ANewNodeIsNamedByItsKey) {
  const StoredState first = Open()->state();
  ASSERT_TRUE(first.identity);
  EXPECT_EQ(first.node_id, admission::NodeIdOf(admission::SigningKeyOf(*first.identity).public_key));
  EXPECT_EQ(Open()->state().identity, first.identity);
}

TEST_F(StoreStateTest, AbsentFieldsStay) {
  StoreChange all;
  all.life = {7, 8, 9};
  all.epochs = {7, 64};
  all.keyring = {{{1, {1}}}, 1};
  all.maintenance = true;
  StoreChange none;
  StoreChange maintenance;
  maintenance.maintenance = false;
  const StoredState state = After({all, none, maintenance});
  EXPECT_EQ(state.life, *all.life);
  EXPECT_EQ(state.epochs, *all.epochs);
  EXPECT_EQ(state.keyring, *all.keyring);
  EXPECT_FALSE(state.maintenance);
}

TEST_F(StoreStateTest, EventsAreAddedOnceAndSummariesReplaced) {
  StoreChange first;
  first.events = {Event(Node(1), 4, 1)};
  first.summaries = {Summary(1, 2)};
  StoreChange second;
  second.events = {Event(Node(1), 4, 1), Event(Node(1), 4, 2)};
  second.events[0].text = "different";
  second.summaries = {Summary(1, 20)};
  const StoredState state = After({first, second});
  EXPECT_THAT(state.events, UnorderedElementsAreArray({Event(Node(1), 4, 1), Event(Node(1), 4, 2)}));
  EXPECT_THAT(state.summaries, ElementsAre(Summary(1, 20)));
}

using FieldE11 = StoreStateTest;

TEST_F(FieldE11, WhatAnEraWasFoldedOfIsDropped) {
  StoreChange events;
  for (uint32_t seq = 1; seq <= 3; ++seq) {
    events.events.push_back(Event(Node(1), 1, seq, 3));
    events.events.back().time = 100 * seq;
  }
  events.events.push_back(Event(Node(2), 1, 1, 4));
  events.events.back().time = 1;
  StoreChange drop;
  drop.drop_events_before_era = 3;
  drop.drop_events_before_time = 200;
  drop.summaries = {Summary(3, 1)};
  drop.summaries[0].until = 200;
  const StoredState state = After({events, drop});
  EXPECT_THAT(state.events, UnorderedElementsAreArray({events.events[1], events.events[2], events.events[3]}));
  EXPECT_THAT(state.summaries, ElementsAre(drop.summaries[0]));
}

TEST_F(StoreStateTest, OldErasAreDropped) {
  StoreChange events;
  events.events = {Event(Node(1), 1, 1, 2), Event(Node(1), 2, 1, 3), Event(Node(1), 3, 1, 4)};
  StoreChange drop;
  drop.drop_events_before_era = 3;
  drop.summaries = {Summary(2, 1)};
  StoreChange later;  // an old event that arrives late stays
  later.events = {Event(Node(2), 1, 1, 1)};
  const StoredState state = After({events, drop, later});
  EXPECT_THAT(state.events,
              UnorderedElementsAreArray({Event(Node(1), 2, 1, 3), Event(Node(1), 3, 1, 4), Event(Node(2), 1, 1, 1)}));
  EXPECT_THAT(state.summaries, ElementsAre(Summary(2, 1)));
}

TEST_F(StoreStateTest, AgeAtRevisionFollowsTheRevision) {
  struct Boot {
    const char* revision;
    const char* before;
    uint64_t age_at_revision;
  };
  uint64_t age = 0;
  for (const Boot& boot :
       {Boot{"a", "", 1}, Boot{"a", "a", 1}, Boot{"b", "a", 3}, Boot{"b", "b", 3}, Boot{"a", "b", 5}}) {
    const StoredState state = Open(boot.revision)->state();
    EXPECT_EQ(state.age, ++age);
    EXPECT_EQ(state.revision, boot.before) << age;
    EXPECT_EQ(state.age_at_revision, boot.age_at_revision) << age;
  }
}

TEST_F(StoreStateTest, AUsedAgeIsReplaced) {
  {
    const auto store = Open();
    StoreChange events;
    events.events = {Event(store->state().node_id, 1, 1), Event(Node(2), 1, 1)};
    StoreChange moved;
    moved.age = 8;
    moved.events = {Event(store->state().node_id, 8, 1)};
    ASSERT_TRUE(store->Apply(std::vector{events, moved}).ok());
  }
  const StoredState state = Open()->state();
  EXPECT_EQ(state.age, 9u);
  EXPECT_EQ(state.age_at_revision, 8u);  // the first boot is the one that got another age
  EXPECT_THAT(state.events, UnorderedElementsAreArray({Event(state.node_id, 8, 1), Event(Node(2), 1, 1)}));
}

TEST_F(StoreStateTest, ACloneForgetsTheEventsUnderItsPresentAge) {
  {
    const auto store = Open();
    StoreChange moved;
    moved.age = 8;
    moved.events = {Event(store->state().node_id, 8, 1)};
    ASSERT_TRUE(store->Apply(std::vector{moved}).ok());
    ASSERT_TRUE(store->TakeNewIdentity().ok());
  }
  EXPECT_THAT(Open()->state().events, IsEmpty());
}

using StoreStateDeathTest = StoreStateTest;

TEST_F(StoreStateDeathTest, AnAgeNeverFalls) {
  const auto store = Open();
  StoreChange first;
  first.age = 8;
  StoreChange second;
  second.age = 7;
  EXPECT_DEATH(store->Apply(std::vector{first, second}).IgnoreError(), "check failed.*age.*7, 8");
  ASSERT_TRUE(store->Apply(std::vector{first}).ok());
  EXPECT_DEATH(store->Apply(std::vector{second}).IgnoreError(), "check failed.*age.*7, 8");
}

TEST_F(StoreStateTest, OtherHardwareIsNoticedOnEveryBoot) {
  const auto changed_with = [this](const MacAddress& mac) {
    const auto store = Open();
    store->SetHardware(mac);
    return store->state().hardware_changed;
  };
  EXPECT_FALSE(changed_with(kMac));
  EXPECT_FALSE(changed_with(kMac));
  EXPECT_TRUE(changed_with(kOtherMac));
  EXPECT_TRUE(changed_with(kOtherMac));
  EXPECT_FALSE(changed_with(kMac));
}

TEST_F(StoreStateTest, ACloneBecomesAnotherNode) {
  NodeId original{};
  std::optional<admission::Seed> key;
  {
    const auto store = Open();
    original = store->state().node_id;
    key = store->state().identity;
    store->SetHardware(kMac);
    StoreChange change;
    change.life = {7, 8, 9};
    change.events = {Event(original, 1, 1)};
    ASSERT_TRUE(store->Apply(std::vector{change}).ok());
  }
  {
    const auto store = Open();
    store->SetHardware(kOtherMac);
    StoreChange change;
    change.events = {Event(original, 2, 1)};
    ASSERT_TRUE(store->Apply(std::vector{change}).ok());
    ASSERT_TRUE(store->TakeNewIdentity().ok());
  }
  const auto store = Open();
  store->SetHardware(kOtherMac);
  EXPECT_NE(store->state().node_id, original);
  EXPECT_NE(store->state().identity, key);
  ASSERT_TRUE(store->state().identity);
  EXPECT_EQ(store->state().node_id, admission::NodeIdOf(admission::SigningKeyOf(*store->state().identity).public_key));
  EXPECT_EQ(store->state().age, 1u);
  EXPECT_EQ(store->state().revision, "");
  EXPECT_FALSE(store->state().hardware_changed);
  EXPECT_EQ(store->state().life, (StoredLife{7, 8, 9}));
  EXPECT_THAT(store->state().events, ElementsAre(Event(original, 1, 1)));
}

// Who belongs to the cluster by records does so under the identity that was admitted.
TEST_F(StoreStateTest, ACopyOfAMemberGivesUpItsKeys) {
  const auto keys_after = [this](const StoreChange& change) {
    {
      const auto store = Open();
      EXPECT_TRUE(store->Apply(std::vector{change}).ok());
      EXPECT_TRUE(store->TakeNewIdentity().ok());
    }
    return Open()->state().keyring.keys.size();
  };
  admission::SigningKey original = admission::SigningKeyOf(*Open()->state().identity);
  EXPECT_FALSE(Open()->state().copy_of);
  StoreChange change;
  change.keyring = {{{1, {1, 2, 3}}}, 1};
  EXPECT_EQ(keys_after(change), 1u) << "no records say who belongs to the cluster";
  original = admission::SigningKeyOf(*Open()->state().identity);
  change.records = {{1, 2, 3}};
  EXPECT_EQ(keys_after(change), 0u);

  const auto store = Open();
  EXPECT_EQ(store->state().records, change.records);
  const admission::PublicKey own = admission::SigningKeyOf(*store->state().identity).public_key;
  ASSERT_TRUE(store->state().copy_of);
  EXPECT_EQ(store->state().copy_of->identity, original.public_key);
  EXPECT_EQ(store->state().copy_of->signature, admission::SignCopy(original, own));
  EXPECT_TRUE(store->BeginAnew().ok());
}

TEST_F(StoreStateTest, ANodeThatHasLeftItsClusterKeepsNothingOfIt) {
  NodeId before{};
  {
    const auto store = Open();
    before = store->state().node_id;
    StoreChange change;
    change.life = {7, 8, 9};
    change.epochs = {7, 3};
    change.keyring = {{{1, {1, 2, 3}}}, 1};
    change.maintenance = true;
    change.drain = {.on = true};
    change.weights = {{"web", 3}};
    change.events = {Event(before, 1, 1)};
    change.summaries = {Summary(1, 2)};
    change.records = {{1, 2, 3}};
    change.joined = {.name = "home", .id = ClusterId{5}, .port = 1, .group = {{239, 1, 2, 3}}, .first = ""};
    ASSERT_TRUE(store->Apply(std::vector{change}).ok());
    ASSERT_TRUE(store->BeginAnew().ok());
  }
  const StoredState state = Open()->state();
  EXPECT_NE(state.node_id, before);
  EXPECT_EQ(state.age, 1u);
  EXPECT_EQ(state.life, StoredLife{});
  EXPECT_EQ(state.epochs, StoredEpochs{});
  EXPECT_EQ(state.keyring, Keyring{});
  EXPECT_EQ(state.joined, std::nullopt);
  EXPECT_FALSE(state.maintenance);
  EXPECT_EQ(state.drain, StoredDrain{});
  EXPECT_THAT(state.weights, IsEmpty());
  EXPECT_THAT(state.records, IsEmpty());
  EXPECT_THAT(state.events, IsEmpty());
  EXPECT_THAT(state.summaries, IsEmpty());
}

TEST_F(StoreStateTest, RemembersADrainAndItsDeadline) {
  StoreChange change;
  for (const StoredDrain& drain : {StoredDrain{.on = true}, StoredDrain{.on = true, .deadline = Seconds(90)},
                                   StoredDrain{.on = true, .deadline = Duration{}}, StoredDrain{}}) {
    change.drain = drain;
    EXPECT_EQ(After({change}).drain, drain);
  }
}

// A file of the first release.
TEST_F(StoreStateTest, UpgradesVersion1) {
  std::filesystem::create_directories(directory_);
  sqlite3* db = nullptr;
  ASSERT_EQ(sqlite3_open((directory_ + "/qure.db").c_str(), &db), SQLITE_OK);
  ASSERT_EQ(sqlite3_exec(db,
                         "PRAGMA journal_mode = WAL;"
                         "CREATE TABLE identity ("
                         "  id INTEGER PRIMARY KEY CHECK (id = 1),"
                         "  node_id BLOB NOT NULL CHECK (length(node_id) = 16),"
                         "  age INTEGER NOT NULL CHECK (age >= 0)) STRICT;"
                         "INSERT INTO identity VALUES (1, x'07070707070707070707070707070707', 41);"
                         "PRAGMA user_version = 1",
                         nullptr, nullptr, nullptr),
            SQLITE_OK);
  sqlite3_close(db);
  StoreChange change;
  change.events = {Event(Node(1), 4, 1)};
  std::optional<admission::Seed> key;
  {
    const auto store = Open();
    EXPECT_EQ(store->state().node_id, Node(7));
    key = store->state().identity;
    EXPECT_TRUE(key);
    EXPECT_EQ(store->state().age, 42u);
    EXPECT_EQ(store->state().age_at_revision, 42u);
    EXPECT_EQ(store->state().revision, "");
    EXPECT_FALSE(store->state().lost);
    store->SetHardware(kMac);
    EXPECT_FALSE(store->state().hardware_changed);
    ASSERT_TRUE(store->Apply(std::vector{change}).ok());
  }
  const StoredState state = Open()->state();
  EXPECT_EQ(state.node_id, Node(7));
  EXPECT_EQ(state.identity, key);
  EXPECT_EQ(state.age, 43u);
  EXPECT_THAT(state.events, ElementsAre(Event(Node(1), 4, 1)));
}

// Mounts a small file system on the data directory, in a mount namespace of a child's own. Needs root.
class UnwritableStoreTest : public StoreStateTest {
 protected:
  // The exit status of `body` in the child; 0 if all its expectations held.
  void InChild(const std::function<void()>& body) {
    if (geteuid() != 0) GTEST_SKIP() << "needs root";
    std::filesystem::create_directories(directory_);
    const pid_t child = fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      if (unshare(CLONE_NEWNS) != 0 || mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
          mount("tmpfs", directory_.c_str(), "tmpfs", 0, "size=256k") != 0) {
        _exit(77);
      }
      body();
      _exit(HasFailure() ? 1 : 0);
    }
    int status = 0;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    if (WEXITSTATUS(status) == 77) GTEST_SKIP() << "no mount namespaces here";
    EXPECT_EQ(WEXITSTATUS(status), 0);
  }

  void Remount(unsigned long flags) {
    ASSERT_EQ(mount("none", directory_.c_str(), nullptr, MS_REMOUNT | flags, "size=256k"), 0);
  }
  void Fill() {
    std::ofstream file(directory_ + "/fill", std::ios::binary);
    for (const std::string block(4096, 'x'); file; file.flush()) file << block;
  }
};

TEST_F(UnwritableStoreTest, ReadOnlyFileSystemServesFromMemory) {
  InChild([this] {
    StoreChange change;
    change.epochs = {3, 64};
    change.events = {Event(Node(1), 4, 1)};
    const NodeId id = Open()->state().node_id;
    ASSERT_TRUE(Open()->Apply(std::vector{change}).ok());
    Remount(MS_RDONLY);
    {
      const auto store = Open();
      ASSERT_NE(store, nullptr);
      EXPECT_EQ(store->state().node_id, id);
      EXPECT_EQ(store->state().age, 3u);
      EXPECT_EQ(store->state().epochs, *change.epochs);
      EXPECT_THAT(store->state().events, ElementsAre(Event(Node(1), 4, 1)));
      EXPECT_THAT(store->alarm(), HasSubstr("serving from memory"));
      EXPECT_FALSE(store->Apply(std::vector{change}).ok());
      Remount(0);
      change.epochs = {3, 128};
      EXPECT_TRUE(store->Apply(std::vector{change}).ok());
    }
    EXPECT_EQ(Open()->state().age, 4u);  // the boot was counted later
    EXPECT_EQ(Open()->state().epochs, *change.epochs);
  });
}

// A key that is gone with the process would make another node of it at each start.
TEST_F(UnwritableStoreTest, AKeyThatCannotBeKeptIsNotUsed) {
  InChild([this] {
    ASSERT_NE(Open(), nullptr);
    sqlite3* db = nullptr;
    ASSERT_EQ(sqlite3_open((directory_ + "/qure.db").c_str(), &db), SQLITE_OK);
    ASSERT_EQ(sqlite3_exec(db, "UPDATE identity SET seed = NULL", nullptr, nullptr, nullptr), SQLITE_OK);
    sqlite3_close(db);
    Remount(MS_RDONLY);
    {
      const auto store = Open();
      ASSERT_NE(store, nullptr);
      EXPECT_EQ(store->state().identity, std::nullopt);
      Remount(0);
      EXPECT_TRUE(store->Apply(std::vector{StoreChange{}}).ok());
    }
    const std::optional<admission::Seed> key = Open()->state().identity;
    EXPECT_TRUE(key);
    EXPECT_EQ(Open()->state().identity, key);
  });
}

TEST_F(UnwritableStoreTest, FullFileSystemServesFromMemory) {
  InChild([this] {
    const NodeId id = Open()->state().node_id;
    Fill();
    const auto store = Open();
    ASSERT_NE(store, nullptr);
    EXPECT_EQ(store->state().node_id, id);
    EXPECT_EQ(store->state().age, 2u);
    EXPECT_THAT(store->alarm(), HasSubstr("free some space"));
    StoreChange change;
    change.maintenance = true;
    EXPECT_FALSE(store->Apply(std::vector{change}).ok());
    std::filesystem::remove(directory_ + "/fill");
    EXPECT_TRUE(store->Apply(std::vector{change}).ok());
  });
}

TEST_F(UnwritableStoreTest, WithoutAnIdentityItIsAnError) {
  InChild([this] {
    Remount(MS_RDONLY);
    const absl::Status read_only = Store::Open(directory_, kRevision).status();
    EXPECT_THAT(std::string(read_only.message()), HasSubstr("make its directory writable"));
    Remount(0);
    Fill();
    const absl::Status full = Store::Open(directory_, kRevision).status();
    EXPECT_FALSE(full.ok());
    std::filesystem::remove(directory_ + "/fill");
    EXPECT_FALSE(Open()->state().lost);  // it leaves no empty file
  });
}

TEST_F(UnwritableStoreTest, ANewerStoreOnAFullDiskIsNoReasonToServe) {
  InChild([this] {
    Open();
    sqlite3* db = nullptr;
    ASSERT_EQ(sqlite3_open((directory_ + "/qure.db").c_str(), &db), SQLITE_OK);
    const std::string newer = absl::StrCat("PRAGMA user_version = ", kSchemaVersion + 1);
    ASSERT_EQ(sqlite3_exec(db, newer.c_str(), nullptr, nullptr, nullptr), SQLITE_OK);
    sqlite3_close(db);
    Remount(MS_RDONLY);
    EXPECT_FALSE(Store::Open(directory_, kRevision).ok());
  });
}

}  // namespace
}  // namespace qure
