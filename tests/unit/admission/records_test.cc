// What is read as a record, and what is refused.
#include "control/core/admission/records.h"

#include <gtest/gtest.h>

#include "tests/unit/admission/support.h"

namespace qure::admission::test {
namespace {

using Bytes = std::vector<uint8_t>;

Record SessionRecord() {
  return Record::Sign(Session{.head = Head(),
                              .signer = Identity(2),
                              .key_id = 77,
                              .number = 1,
                              .rosters = Hash("rosters", {}),
                              .key = Hash("key", {})},
                      KeyOf(2));
}

constexpr size_t kVersion = 36;
ConfigEntry Change() {
  ConfigEntry entry{.head = Head(),
                    .signer = Identity(2),
                    .version = {.term = {.era = 1, .epoch = 2, .holder = 3}, .n = 4},
                    .base = {.term = {.era = 1, .epoch = 1, .holder = 3}, .n = 9, .check = 5},
                    .body = Hash("body", {}),
                    .size = 77,
                    .confirm = true,
                    .timeout_ms = 30'000};
  entry.version.check = CheckOf(entry);
  return entry;
}
Record ConfirmRecord() {
  return Record::Sign(ConfigConfirm{.head = Head(), .signer = Identity(2), .version = Change().version}, KeyOf(2));
}

struct Case {
  const char* name;
  Record record;
  uint8_t signer;
  size_t size;
};
std::vector<Case> OneOfEach() {
  return {{"genesis", GenesisRecord(), kRecovery, 170},
          {"roster", RosterRecord(3, {1, 2, 3}), kRecovery, 2 + 32 + 4 + 32 + 1 + 6 + 1 + 3 * 48 + 64},
          {"admit", AdmitRecord(1, 2), 1, 2 + 32 + 4 + 32 + 32 + 16 + 1 + 8 + 1 + 2 + 64},
          {"leave", LeaveRecord(4), 4, 130},
          {"forget", ForgetRecord(1, 2, 9), 1, 170},
          {"session", SessionRecord(), 2, 206},
          {"config", Record::Sign(Change(), KeyOf(2)), 2, 2 + 32 + 32 + 2 * kVersion + 32 + 4 + 1 + 4 + 64},
          {"confirm", ConfirmRecord(), 2, 2 + 32 + 32 + kVersion + 64},
          {"invite", InviteRecord(1, 2), 1, 2 + 32 + 4 + 32 + 8 + 32 + 4 + 8 + 64}};
}

// Any bytes, with a signature that holds.
Bytes SignedBytes(Bytes body, const SigningKey& key) {
  const Signature signature = Sign(key, "qure record 1", Hash("qure record 1", {body}));
  body.insert(body.end(), signature.begin(), signature.end());
  return body;
}
Bytes BodyOf(const Record& record) {
  Bytes bytes = record.Bytes();
  bytes.resize(bytes.size() - sizeof(Signature));
  return bytes;
}

// From a buffer of exactly this size, so that AddressSanitizer sees a read beyond the end.
std::variant<Record, RecordFault> Read(const Bytes& bytes) {
  const Bytes exact(bytes.begin(), bytes.end());
  return Record::Read(exact, Identity(kRecovery));
}
std::optional<RecordFault> FaultOf(const Bytes& bytes) {
  const auto read = Read(bytes);
  const auto* fault = std::get_if<RecordFault>(&read);
  return fault == nullptr ? std::nullopt : std::optional(*fault);
}

TEST(Records, AreReadAsTheyWereSigned) {
  for (const Case& each : OneOfEach()) {
    const Bytes bytes = each.record.Bytes();
    EXPECT_EQ(bytes.size(), each.size) << each.name;
    const auto read = Read(bytes);
    const auto* record = std::get_if<Record>(&read);
    ASSERT_NE(record, nullptr) << each.name;
    EXPECT_EQ(record->statement(), each.record.statement()) << each.name;
    EXPECT_EQ(record->id(), each.record.id()) << each.name;
    EXPECT_EQ(record->signer(), Identity(each.signer)) << each.name;
    EXPECT_EQ(record->Bytes(), bytes) << each.name;
  }
}

// Written out by hand: nodes of different versions read each other's records.
TEST(Records, LayoutDoesNotChange) {
  const Record leave =
      Record::Sign(Leave{.head = {.cluster = {1, 2, 3}, .time = 0x0102030405060708, .uptime_ms = 0x1112131415161718},
                         .subject = Identity(4)},
                   KeyOf(4));
  const PublicKey subject = Identity(4);
  Bytes expected = {1, 4, 1, 2, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0};
  for (const int byte : {1, 2, 3, 4, 5, 6, 7, 8, 0x11, 0x12, 0x13, 0x14, 0x15, 0x16, 0x17, 0x18}) {
    expected.push_back(static_cast<uint8_t>(byte));
  }
  expected.insert(expected.end(), subject.begin(), subject.end());
  EXPECT_EQ(BodyOf(leave), expected);
}

TEST(Records, TruncatedOrLongerIsRefusedEvenIfSigned) {
  for (const Case& each : OneOfEach()) {
    const Bytes bytes = each.record.Bytes();
    for (size_t size = 0; size < bytes.size(); ++size) {
      EXPECT_TRUE(FaultOf(Bytes(bytes.begin(), bytes.begin() + size))) << each.name << " of " << size;
    }
    const Bytes body = BodyOf(each.record);
    for (size_t size = 0; size < body.size(); ++size) {
      EXPECT_EQ(FaultOf(SignedBytes(Bytes(body.begin(), body.begin() + size), KeyOf(each.signer))),
                RecordFault::kUnsound)
          << each.name << " of " << size;
    }
    Bytes longer = body;
    longer.push_back(0);
    EXPECT_EQ(FaultOf(SignedBytes(longer, KeyOf(each.signer))), RecordFault::kUnsound) << each.name;
  }
  EXPECT_EQ(FaultOf(Bytes(kMaxRecord + 1)), RecordFault::kUnsound);
}

TEST(Records, OtherVersionsAndKindsAreRefused) {
  for (const Case& each : OneOfEach()) {
    Bytes body = BodyOf(each.record);
    for (const int version : {0, 2, 255}) {
      body[0] = static_cast<uint8_t>(version);
      EXPECT_EQ(FaultOf(SignedBytes(body, KeyOf(each.signer))), RecordFault::kVersion) << each.name;
    }
  }
  Bytes body = BodyOf(LeaveRecord(4));
  for (int kind = 0; kind < 256; ++kind) {
    body[1] = static_cast<uint8_t>(kind);
    EXPECT_EQ(FaultOf(SignedBytes(body, KeyOf(4))).has_value(), kind != 4) << kind;
  }
}

TEST(Records, EachByteIsUnderTheSignature) {
  for (const Case& each : OneOfEach()) {
    const Bytes bytes = each.record.Bytes();
    for (size_t at = 0; at < bytes.size(); ++at) {
      Bytes changed = bytes;
      changed[at] ^= 0x40;
      EXPECT_TRUE(FaultOf(changed)) << each.name << ", byte " << at;
    }
  }
}

// Also a LEAVE that another signed for its subject.
TEST(Records, OnlyTheOneWhoMustMaySign) {
  for (const Case& each : OneOfEach()) {
    for (const uint8_t other : {uint8_t{1}, uint8_t{2}, uint8_t{4}, uint8_t{20}, kRecovery}) {
      const auto fault = FaultOf(SignedBytes(BodyOf(each.record), KeyOf(other)));
      if (other == each.signer) {
        EXPECT_EQ(fault, std::nullopt) << each.name;
      } else {
        EXPECT_EQ(fault, RecordFault::kSignature) << each.name << " by " << int{other};
      }
    }
  }
}

TEST(Records, RostersAreAscendingBoundedAndNotOfGenerationZero) {
  Roster roster{.head = Head(), .generation = 1, .made_by = Identity(1), .why = std::string(kMaxWhy, 'x')};
  for (uint8_t number = 1; number <= kMaxMembers; ++number) roster.members.push_back(ListedOf(number));
  std::ranges::sort(roster.members);
  const Record largest = Record::Sign(roster, KeyOf(kRecovery));
  EXPECT_EQ(largest.Bytes().size(), kMaxRecord);
  EXPECT_EQ(FaultOf(largest.Bytes()), std::nullopt);

  const Bytes body = BodyOf(RosterRecord(1, {1, 2, 3}));
  const auto fault_with = [&](size_t from_end, std::initializer_list<uint8_t> bytes) {
    Bytes changed = body;
    std::ranges::copy(bytes, changed.end() - static_cast<std::ptrdiff_t>(from_end));
    return FaultOf(SignedBytes(changed, KeyOf(kRecovery)));
  };
  EXPECT_EQ(fault_with(0, {}), std::nullopt);
  EXPECT_EQ(fault_with(body.size() - 34, {0, 0, 0, 0}), RecordFault::kUnsound) << "generation 0 is the genesis";
  EXPECT_EQ(fault_with(3 * 48 + 1, {2}), RecordFault::kUnsound) << "count";
  EXPECT_EQ(fault_with(3 * 48 + 1 + 6, {'\x1b'}), RecordFault::kUnsound) << "an escape sequence in the reason";

  Bytes twice = body;
  std::copy_n(body.end() - 2 * 48, 48, twice.end() - 48);
  EXPECT_EQ(FaultOf(SignedBytes(twice, KeyOf(kRecovery))), RecordFault::kUnsound);
  Bytes exchanged = twice;
  std::copy_n(body.end() - 48, 48, exchanged.end() - 2 * 48);
  EXPECT_EQ(FaultOf(SignedBytes(exchanged, KeyOf(kRecovery))), RecordFault::kUnsound);
  Bytes none(body.begin(), body.end() - 3 * 48);
  none.back() = 0;
  EXPECT_EQ(FaultOf(SignedBytes(none, KeyOf(kRecovery))), RecordFault::kUnsound);
}

// Without a reason, so that the size of the record would permit one more.
TEST(Records, ARosterOfMoreThanTheBoundIsRefused) {
  for (const size_t count : {kMaxMembers, kMaxMembers + 1}) {
    Bytes body = BodyOf(RosterRecord(1, {1}));
    body.resize(2 + 32 + 4 + 32);
    body.push_back(0);
    body.push_back(static_cast<uint8_t>(count));
    for (size_t i = 0; i < count; ++i) {
      body.push_back(static_cast<uint8_t>(i));
      body.insert(body.end(), 47, 0);
    }
    EXPECT_EQ(FaultOf(SignedBytes(body, KeyOf(kRecovery))).has_value(), count > kMaxMembers) << count;
  }
}

TEST(Records, AnAdmissionHasANameKnownFlagsAndTheNodeIdOfItsIdentity) {
  constexpr size_t kFlagsAt = 2 + 32 + 4 + 32 + 32 + 16;
  const Bytes body = BodyOf(AdmitRecord(1, 2));
  const auto fault_with = [&](size_t at, uint8_t byte) {
    Bytes changed = body;
    changed[at] = byte;
    return FaultOf(SignedBytes(changed, KeyOf(1)));
  };
  EXPECT_EQ(fault_with(kFlagsAt, 0), std::nullopt);
  EXPECT_EQ(fault_with(kFlagsAt, 3), std::nullopt);
  EXPECT_EQ(fault_with(kFlagsAt, 4), RecordFault::kUnsound);
  EXPECT_EQ(fault_with(kFlagsAt, 0x80), RecordFault::kUnsound);
  EXPECT_EQ(fault_with(kFlagsAt - 1, static_cast<uint8_t>(body[kFlagsAt - 1] + 1)), RecordFault::kUnsound);
  EXPECT_EQ(fault_with(body.size() - 1, 7), RecordFault::kUnsound) << "a bell in the name";

  Bytes legacy = body;
  legacy[kFlagsAt] = 1;
  legacy[kFlagsAt - 1] ^= 1;
  EXPECT_EQ(FaultOf(SignedBytes(legacy, KeyOf(1))), std::nullopt);
  legacy[2 + 32 + 3] = 1;
  EXPECT_EQ(FaultOf(SignedBytes(legacy, KeyOf(1))), RecordFault::kUnsound) << "legacy ids after generation 0";

  Bytes nameless(body.begin(), body.end() - 2);
  nameless.back() = 0;
  EXPECT_EQ(FaultOf(SignedBytes(nameless, KeyOf(1))), RecordFault::kUnsound);
  Admit admit = Admission(1, 2);
  admit.name = std::string(kMaxNodeName, 'n');
  Bytes longest = BodyOf(Record::Sign(admit, KeyOf(1)));
  EXPECT_EQ(FaultOf(SignedBytes(longest, KeyOf(1))), std::nullopt);
  longest[longest.size() - kMaxNodeName - 1] = kMaxNodeName + 1;
  longest.push_back('n');
  EXPECT_EQ(FaultOf(SignedBytes(longest, KeyOf(1))), RecordFault::kUnsound);
}

TEST(Records, AChangeOfTheConfigurationIsBoundedAndIsWhatItsVersionSays) {
  const auto fault_of = [](const ConfigEntry& entry, bool checked = true) {
    Bytes body = BodyOf(Record::Sign(Change(), KeyOf(2)));
    ConfigEntry changed = entry;
    if (checked) changed.version.check = CheckOf(changed);
    // As Sign would lay it out, if it signed what is unsound.
    const auto put = [&](size_t at, uint64_t value, size_t size) {
      for (size_t i = 0; i < size; ++i) body[at + i] = static_cast<uint8_t>(value >> 8 * (size - 1 - i));
    };
    constexpr size_t kVersionAt = 2 + 32 + 32;
    put(kVersionAt + 20, changed.version.n, 8);
    put(kVersionAt + 28, changed.version.check, 8);
    put(kVersionAt + kVersion + 4, changed.base.term.epoch, 8);
    put(body.size() - 9, changed.size, 4);
    put(body.size() - 5, changed.confirm ? 1 : 0, 1);
    put(body.size() - 4, changed.timeout_ms, 4);
    return FaultOf(SignedBytes(body, KeyOf(2)));
  };
  const auto with = [&](auto change) {
    ConfigEntry entry = Change();
    change(&entry);
    return entry;
  };
  EXPECT_EQ(fault_of(Change()), std::nullopt);
  EXPECT_EQ(fault_of(with([](ConfigEntry* each) { each->size = kMaxConfigBody; })), std::nullopt);
  EXPECT_EQ(fault_of(with([](ConfigEntry* each) { each->timeout_ms = kMaxConfirmTimeoutMs; })), std::nullopt);
  EXPECT_TRUE(fault_of(with([](ConfigEntry* each) { each->size = kMaxConfigBody + 1; })));
  EXPECT_TRUE(fault_of(with([](ConfigEntry* each) { each->size = 0; })));
  EXPECT_TRUE(fault_of(with([](ConfigEntry* each) { each->timeout_ms = kMaxConfirmTimeoutMs + 1; })));
  EXPECT_TRUE(fault_of(with([](ConfigEntry* each) { each->timeout_ms = 0; }))) << "to be confirmed at once";
  EXPECT_TRUE(fault_of(with([](ConfigEntry* each) { each->confirm = false; }))) << "a time for nothing";
  EXPECT_TRUE(fault_of(with([](ConfigEntry* each) { each->version.n = 0; })));
  EXPECT_TRUE(fault_of(with([](ConfigEntry* each) { each->base.term.epoch = 3; }))) << "made from a later one";
  EXPECT_TRUE(fault_of(with([](ConfigEntry* each) { ++each->size; }), false)) << "another entry of this version";
}

TEST(Records, AVersionIsReadAsItIsWritten) {
  const ConfigVersion version = Change().version;
  const Bytes bytes = ToBytes(version);
  ASSERT_EQ(bytes.size(), kConfigVersionSize);
  EXPECT_EQ(ReadConfigVersion(bytes), version);
  EXPECT_EQ(ReadConfigVersion(ConstBytes(bytes).first(kConfigVersionSize - 1)), std::nullopt);
  Bytes longer = bytes;
  longer.push_back(0);
  EXPECT_EQ(ReadConfigVersion(longer), std::nullopt);
}

TEST(Records, OneStatementIsOneRecordAndAnotherIsAnother) {
  EXPECT_EQ(AdmitRecord(1, 2).id(), AdmitRecord(1, 2).id());
  EXPECT_NE(AdmitRecord(1, 2, 0, 1).id(), AdmitRecord(1, 2, 0, 2).id());
  EXPECT_NE(AdmitRecord(1, 2).id(), AdmitRecord(1, 3).id());
}

TEST(RecordsDeathTest, NobodySignsForAnother) {
  EXPECT_DEATH(Record::Sign(Admission(1, 2), KeyOf(3)), "check failed");
  Admit nameless = Admission(1, 2);
  nameless.name.clear();
  EXPECT_DEATH(Record::Sign(nameless, KeyOf(1)), "check failed");
}

TEST(Records, TheClusterIsItsGenesis) {
  const Fingerprint cluster = ClusterFingerprint(GenesisRecord());
  EXPECT_NE(cluster, ClusterFingerprint(GenesisRecord(ListedOf(2))));
  EXPECT_NE(cluster, ClusterFingerprint(GenesisRecord(ListedOf(kFounder), 251)));
  const ClusterMark mark = MarkOf(cluster);
  EXPECT_TRUE(std::equal(mark.begin(), mark.end(), cluster.begin()));
}

}  // namespace
}  // namespace qure::admission::test
