// Identities and records for the tests of admission.
#pragma once

#include <algorithm>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "control/core/admission/records.h"
#include "control/core/admission/signing.h"
#include "control/core/admission/view.h"

namespace qure::admission::test {

// The same number is always the same identity; kRecovery is the one of the paper.
inline constexpr uint8_t kFounder = 1;
inline constexpr uint8_t kRecovery = 250;

inline const SigningKey& KeyOf(uint8_t number) {
  static const std::vector<SigningKey> keys = [] {
    std::vector<SigningKey> all;
    for (int each = 0; each < 256; ++each) all.push_back(SigningKeyOf({static_cast<uint8_t>(each), 7}));
    return all;
  }();
  return keys[number];
}
inline const PublicKey& Identity(uint8_t number) {
  return KeyOf(number).public_key;
}
inline Listed ListedOf(uint8_t number) {
  return {.identity = Identity(number), .node = NodeIdOf(Identity(number))};
}

inline Record GenesisRecord(const Listed& founder = ListedOf(kFounder), uint8_t recovery = kRecovery) {
  return Record::Sign(Genesis{.time = 5, .cluster = {9}, .recovery = Identity(recovery), .founder = founder},
                      KeyOf(recovery));
}
inline RecordHead Head(uint64_t time = 0) {
  static const ClusterMark mark = MarkOf(ClusterFingerprint(GenesisRecord()));
  return {.cluster = mark, .time = time, .uptime_ms = 3};
}

inline Record RosterRecord(uint32_t generation, const std::vector<uint8_t>& numbers, uint64_t time = 0) {
  Roster roster{.head = Head(time), .generation = generation, .made_by = Identity(kFounder), .why = "stolen"};
  for (const uint8_t number : numbers) roster.members.push_back(ListedOf(number));
  std::ranges::sort(roster.members);
  return Record::Sign(std::move(roster), KeyOf(kRecovery));
}
inline Admit Admission(uint8_t signer, uint8_t subject, uint32_t generation = 0, uint64_t time = 0) {
  return {.head = Head(time),
          .generation = generation,
          .signer = Identity(signer),
          .subject = ListedOf(subject),
          .name = std::string("n").append(std::to_string(subject))};
}
inline Record AdmitRecord(uint8_t signer, uint8_t subject, uint32_t generation = 0, uint64_t time = 0) {
  return Record::Sign(Admission(signer, subject, generation, time), KeyOf(signer));
}
inline Record LeaveRecord(uint8_t subject) {
  return Record::Sign(Leave{.head = Head(), .subject = Identity(subject)}, KeyOf(subject));
}
inline Record ForgetRecord(uint8_t signer, uint8_t subject, uint64_t age) {
  return Record::Sign(Forget{.head = Head(), .signer = Identity(signer), .subject = Identity(subject), .age = age},
                      KeyOf(signer));
}

inline Record InviteRecord(uint8_t signer, uint32_t uses, uint64_t until_uptime = 100, uint32_t generation = 0,
                           uint64_t uptime = 3) {
  return Record::Sign(Invite{.head = {.cluster = Head().cluster, .time = 0, .uptime_ms = uptime},
                             .generation = generation,
                             .signer = Identity(signer),
                             .token = {7},
                             .key = Identity(200),
                             .uses = uses,
                             .until_uptime = until_uptime},
                      KeyOf(signer));
}
inline Record AdmitByTokenRecord(uint8_t signer, uint8_t subject) {
  Admit admit = Admission(signer, subject);
  admit.token = {7};
  return Record::Sign(std::move(admit), KeyOf(signer));
}

inline RecordSet SetOf(const std::vector<Record>& records) {
  RecordSet set(GenesisRecord());
  for (const Record& record : records) set.Add(record);
  return set;
}
// Which of the identities up to `most` are members.
inline std::vector<int> MembersOf(const RecordSet& set, uint8_t most = 20) {
  const View view = ViewOf(set);
  std::vector<int> members;
  for (uint8_t number = 1; number <= most; ++number) {
    if (view.members.contains(Identity(number))) members.push_back(number);
  }
  return members;
}

}  // namespace qure::admission::test
