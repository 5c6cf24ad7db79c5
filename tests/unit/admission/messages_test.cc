// The messages of channel 3: layout, bounds, and what no message is.
#include "control/core/admission/messages.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <string>
#include <variant>
#include <vector>

#include "proto/cluster/envelope.h"
#include "tests/unit/admission/support.h"

namespace qure::admission::test {
namespace {

using Bytes = std::vector<uint8_t>;

constexpr MacAddress kMac{{2, 0, 0, 0, 0, 9}};

CandidateMessage ACandidate() {
  return {.identity = Identity(7),
          .node = NodeIdOf(Identity(7)),
          .boot = {3},
          .ephemeral = {4},
          .want = {5},
          .token = {6},
          .mac = kMac,
          .revision = "1.2",
          .name = "n7",
          .copy = CopyOf{.identity = Identity(8), .signature = {1}},
          .renew = RenewClaim{.admit = {1, 2, 3}},
          .signature = {8},
          .cookie = {9}};
}
OfferMessage AnOffer() {
  return {.h1 = {1},
          .cluster_id = {2},
          .cluster = {3},
          .identity = Identity(1),
          .node = NodeIdOf(Identity(1)),
          .ephemeral = {4},
          .mac = kMac,
          .port = 7873,
          .reason = AdmitReason::kToken,
          .nodes = 3,
          .proof_size = 700,
          .proof = {5},
          .name = "home",
          .signature = {6}};
}
// One of each type, in their order.
std::vector<AdmissionMessage> All() {
  return {ACandidate(),
          CookieMessage{.h1 = {1}, .cookie = {2}},
          AnOffer(),
          ProofMessage{.h2 = {1}, .index = 1, .total = 2, .part = {1, 2, 3}},
          AcceptMessage{.h2 = {1}, .token = {2}, .missing = 5, .signature = {3}},
          RecordsMessage{.h3 = {1}, .counter = 7, .sealed = {1, 2}},
          WelcomeMessage{.h3 = {1}, .counter = 0, .sealed = {1, 2}},
          ReceiptMessage{.h3 = {1}, .counter = 9, .what = ReceiptOf::kRecords, .code = {4}},
          RefusedMessage{.h1 = {1},
                         .why = RefusedWhy::kNotInRoster,
                         .index = 1,
                         .total = 2,
                         .identity = Identity(1),
                         .part = {7},
                         .signature = {2}},
          ClusterMessage{.cluster_id = {1},
                         .cluster = {2},
                         .identity = Identity(1),
                         .port = 7873,
                         .group = {{239, 192, 1, 2}},
                         .nodes = 3,
                         .name = "home",
                         .signature = {4}}};
}

MessageFault FaultOf(const Bytes& bytes) {
  const auto read = ReadMessage(bytes);
  const auto* fault = std::get_if<MessageFault>(&read);
  EXPECT_NE(fault, nullptr) << "it is a message";
  return fault == nullptr ? MessageFault{} : *fault;
}
// The datagram, with its size as it is by now.
Bytes Resized(Bytes bytes) {
  const size_t size = bytes.size() - kMessageHead;
  bytes[6] = static_cast<uint8_t>(size >> 8);
  bytes[7] = static_cast<uint8_t>(size);
  return bytes;
}

TEST(Messages, EachIsReadAsItWasWritten) {
  const std::vector<AdmissionMessage> all = All();
  ASSERT_EQ(all.size(), std::variant_size_v<AdmissionMessage>);
  for (size_t i = 0; i < all.size(); ++i) {
    const Bytes bytes = WriteMessage(all[i]);
    EXPECT_EQ(bytes[3], 3) << "the channel";
    EXPECT_EQ(bytes[4], i + 1) << "the type";
    EXPECT_EQ(PeekEnvelope(bytes), nullptr) << "no envelope";
    const auto read = ReadMessage(bytes);
    ASSERT_TRUE(std::holds_alternative<AdmissionMessage>(read)) << i;
    EXPECT_EQ(std::get<AdmissionMessage>(read), all[i]) << i;
  }
}

TEST(Messages, FlagsSayWhatACandidateHas) {
  for (const bool copy : {false, true}) {
    for (const bool renew : {false, true}) {
      CandidateMessage candidate = ACandidate();
      if (!copy) candidate.copy.reset();
      if (!renew) candidate.renew.reset();
      const Bytes bytes = WriteMessage(candidate);
      EXPECT_EQ(bytes[5], (renew ? 1 : 0) + (copy ? 2 : 0));
      EXPECT_EQ(std::get<AdmissionMessage>(ReadMessage(bytes)), AdmissionMessage(candidate));
    }
  }
}

TEST(Messages, TheLongestFitADatagram) {
  CandidateMessage candidate = ACandidate();
  candidate.name.assign(kMaxNodeName, 'n');
  candidate.revision.assign(kMaxRevision, 'r');
  candidate.renew->admit.assign(kMaxAdmitRecord, 1);
  EXPECT_EQ(WriteMessage(candidate).size(), 674u);
  const ProofMessage proof{.index = 63, .total = 64, .part = Bytes(kProofPart)};
  EXPECT_LE(WriteMessage(proof).size(), kMaxDatagram);
  EXPECT_LE(WriteMessage(RecordsMessage{.sealed = Bytes(kMaxSealed)}).size(), kMaxDatagram);
  EXPECT_LE(WriteMessage(RefusedMessage{.total = 1, .part = Bytes(kProofPart)}).size(), kMaxDatagram);
}

TEST(Messages, AnAdmissionOfTheLongestNameFits) {
  Admit admit = Admission(1, 2);
  admit.name.assign(kMaxNodeName, 'n');
  EXPECT_EQ(Record::Sign(admit, KeyOf(1)).Bytes().size(), kMaxAdmitRecord);
}

TEST(Messages, TheHeadIsChecked) {
  const Bytes good = WriteMessage(AnOffer());
  const auto with = [&](size_t offset, uint8_t value) {
    Bytes bytes = good;
    bytes[offset] = value;
    return bytes;
  };
  EXPECT_EQ(FaultOf(with(0, 'R')), MessageFault::kForeign);
  EXPECT_EQ(FaultOf(with(3, 1)), MessageFault::kForeign) << "another channel";
  EXPECT_EQ(FaultOf(with(2, 2)), MessageFault::kVersion);
  EXPECT_EQ(FaultOf(with(4, 0)), MessageFault::kUnsound) << "no type";
  EXPECT_EQ(FaultOf(with(4, 11)), MessageFault::kUnsound) << "no type";
  EXPECT_EQ(FaultOf(with(5, 1)), MessageFault::kUnsound) << "a flag that an offer does not have";
  EXPECT_EQ(FaultOf(with(7, static_cast<uint8_t>(good[7] + 1))), MessageFault::kSize);
  EXPECT_EQ(FaultOf({}), MessageFault::kForeign);
  Bytes longest = WriteMessage(RecordsMessage{.sealed = Bytes(kMaxSealed)});
  longest.resize(kMaxDatagram + 1);
  EXPECT_EQ(FaultOf(Resized(longest)), MessageFault::kSize);
  Bytes flag = WriteMessage(ACandidate());
  flag[5] |= 4;
  EXPECT_EQ(FaultOf(flag), MessageFault::kUnsound);
}

// Those whose last field takes all that is left have no end of their own.
bool EndsOpen(const AdmissionMessage& message) {
  const MessageType type = TypeOf(message);
  return type == MessageType::kProof || type == MessageType::kRecords || type == MessageType::kWelcome;
}

TEST(Messages, NoneIsShorterOrLongerThanItSays) {
  for (const AdmissionMessage& message : All()) {
    const Bytes good = WriteMessage(message);
    for (size_t size = 0; size < good.size(); ++size) {
      EXPECT_TRUE(std::holds_alternative<MessageFault>(ReadMessage(ConstBytes(good).first(size)))) << size;
      if (size < kMessageHead || EndsOpen(message)) continue;
      EXPECT_EQ(FaultOf(Resized({good.begin(), good.begin() + static_cast<ptrdiff_t>(size)})), MessageFault::kUnsound);
    }
    Bytes longer = good;
    longer.push_back(0);
    EXPECT_EQ(FaultOf(longer), MessageFault::kSize);
    if (EndsOpen(message)) continue;
    EXPECT_EQ(FaultOf(Resized(longer)), MessageFault::kUnsound);
  }
}

struct Bad {
  std::string what;
  AdmissionMessage good;
  std::function<void(Bytes*)> spoil;
};

// Offsets are those of the layout in messages.h.
std::vector<Bad> BadContents() {
  constexpr size_t kBody = kMessageHead;
  constexpr size_t kCandidateMac = kBody + 32 + 16 + 16 + 32 + 32 + 8;
  constexpr size_t kOfferMac = kBody + 32 + 16 + 32 + 32 + 16 + 32;
  constexpr size_t kOfferReason = kOfferMac + 6 + 2;
  constexpr size_t kRefused = kBody + 32;
  const auto set = [](size_t offset, const Bytes& values) {
    return
        [offset, values](Bytes* bytes) { std::ranges::copy(values, bytes->begin() + static_cast<ptrdiff_t>(offset)); };
  };
  const auto proof_of = [](uint16_t index, uint16_t total, size_t size) {
    return [=](Bytes* bytes) {
      bytes->resize(kBody + 32);
      bytes->insert(bytes->end(), {static_cast<uint8_t>(index >> 8), static_cast<uint8_t>(index),
                                   static_cast<uint8_t>(total >> 8), static_cast<uint8_t>(total)});
      bytes->insert(bytes->end(), size, 1);
    };
  };
  const AdmissionMessage candidate = ACandidate();
  const AdmissionMessage offer = AnOffer();
  const AdmissionMessage proof = All()[3];
  const AdmissionMessage receipt = All()[7];
  const AdmissionMessage refused = All()[8];
  return {
      {"candidate at a group MAC", candidate, set(kCandidateMac, {3})},
      {"candidate at no MAC", candidate, set(kCandidateMac, {0, 0, 0, 0, 0, 0})},
      {"least protocol above most", candidate, set(kCandidateMac + 6, {2, 1})},
      {"revision too long", candidate, set(kCandidateMac + 8, {kMaxRevision + 1})},
      {"control character in the revision", candidate, set(kCandidateMac + 9, {27})},
      {"no name", candidate, set(kCandidateMac + 12, {0})},
      {"control character in the name", candidate, set(kCandidateMac + 13, {'\n'})},
      {"ADMIT too long", candidate, set(kCandidateMac + 15 + 96, {1, 0})},
      {"offer from a group MAC", offer, set(kOfferMac, {0xff})},
      {"no reason", offer, set(kOfferReason, {0})},
      {"an unknown reason", offer, set(kOfferReason, {5})},
      {"no proof", offer, set(kOfferReason + 2, {0, 0, 0, 0})},
      {"proof too long", offer, set(kOfferReason + 2, {0, 1, 0, 1})},
      {"a name that is no text", offer, set(kOfferReason + 2 + 4 + 32 + 1, {7})},
      {"part beyond the last", proof, proof_of(2, 2, 3)},
      {"no parts", proof, proof_of(0, 0, 3)},
      {"too many parts", proof, proof_of(0, kMaxProofParts + 1, kProofPart)},
      {"a last part that is empty", proof, proof_of(1, 2, 0)},
      {"a first part that is not full", proof, proof_of(0, 2, kProofPart - 1)},
      {"a part too long", proof, proof_of(1, 2, kProofPart + 1)},
      {"receipt of nothing", receipt, set(kBody + 12, {0})},
      {"receipt of something unknown", receipt, set(kBody + 12, {3})},
      {"receipt of keys with a count", receipt, set(kBody + 12, {2})},
      {"refused for nothing", refused, set(kRefused, {0})},
      {"refused for something unknown", refused, set(kRefused, {5})},
      {"refusal part beyond the last", refused, set(kRefused + 1, {2})},
      {"too many refusal parts", refused, set(kRefused + 2, {kMaxRefusedParts + 1})},
      {"a part of no record", refused, set(kRefused + 1, {0, 0})},
      {"cluster without a name", All()[9], set(kBody + 16 + 32 + 32 + 2 + 4 + 1, {0})},
  };
}

TEST(Messages, BadContentsAreRefused) {
  for (const Bad& bad : BadContents()) {
    Bytes bytes = WriteMessage(bad.good);
    ASSERT_TRUE(std::holds_alternative<AdmissionMessage>(ReadMessage(bytes))) << bad.what;
    bad.spoil(&bytes);
    EXPECT_EQ(FaultOf(Resized(bytes)), MessageFault::kUnsound) << bad.what;
  }
}

}  // namespace
}  // namespace qure::admission::test
