// What a candidate takes from the cluster that it has accepted: an offerer that gives what no honest one would.
#include "control/core/admission/candidate.h"

#include <gtest/gtest.h>

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "tests/unit/admission/adoption.h"

namespace qure::admission::test {
namespace {

// Offers as identity 1 does, and then sends what the test says.
class Offerer : public Station {
 public:
  explicit Offerer(Wire* wire) : Station(wire, 1) {
    keys_.Follow(ViewOf(records), Identity(1), wire->now);
    grant = keys_.Make(KeyOf(1), Head(), {9}, 5);
  }

  void Hear(MonoTime, const MacAddress& from, ConstBytes payload) override {
    const auto message = std::get<AdmissionMessage>(ReadMessage(payload));
    if (const auto* candidate = std::get_if<CandidateMessage>(&message)) MakeOffer(from, *candidate);
    if (const auto* accept = std::get_if<AcceptMessage>(&message)) {
      keys = HandshakeKeys::Agree(ephemeral_, candidate_.ephemeral, TranscriptOf(*accept));
    }
    if (const auto* receipt = std::get_if<ReceiptMessage>(&message)) {
      EXPECT_TRUE(keys->Verify(*receipt));
      receipts.push_back(*receipt);
    }
  }
  void Tick(MonoTime) override {}
  MonoTime NextDeadline() const override { return kNever; }

  Welcome Good() const {
    return {.admit = AdmitRecord(1, 7), .grants = {*grant}, .rosters = ViewOf(records).rosters, .lineage = 3};
  }
  void SendRecords() {
    RecordSender sender(records, ViewOf(records));
    const auto range = sender.OnReceipt(0);
    for (uint32_t index = range.begin; index < range.end; ++index) {
      wire_->Send(mac, candidate_.mac, WriteMessage(keys->SealRecords(index, sender.Part(index))));
    }
  }
  void SendWelcome(const Welcome& welcome) {
    wire_->Send(mac, candidate_.mac, WriteMessage(keys->SealWelcome(WriteWelcome(welcome))));
  }

  RecordSet records = SetOf({AdmitRecord(1, 2)});
  std::optional<SessionGrant> grant;
  std::optional<HandshakeKeys> keys;
  std::vector<ReceiptMessage> receipts;

 private:
  void MakeOffer(const MacAddress& to, const CandidateMessage& candidate) {
    candidate_ = candidate;
    const RecordSet base = SetOf({});
    const std::vector<uint8_t> proof = *ProofFor(base, ViewOf(base), Identity(1));
    OfferMessage offer{.h1 = TranscriptOf(candidate),
                       .cluster_id = base.genesis().As<Genesis>()->cluster,
                       .cluster = base.cluster(),
                       .identity = Identity(1),
                       .ephemeral = ephemeral_.public_key,
                       .mac = mac,
                       .proof_size = static_cast<uint32_t>(proof.size()),
                       .proof = ProofDigest(proof),
                       .name = "home"};
    SignMessage(KeyOf(1), &offer);
    wire_->Send(mac, to, WriteMessage(offer));
    for (const ProofMessage& part : PartsOf(proof, TranscriptOf(offer))) wire_->Send(mac, to, WriteMessage(part));
  }

  Ephemeral ephemeral_ = DrawEphemeral(DrawFrom(std::make_shared<std::minstd_rand>(5)));
  CandidateMessage candidate_;
  SessionKeys keys_;
};

class CandidateTest : public ::testing::Test {
 protected:
  CandidateTest() {
    EXPECT_TRUE(wire_.RunUntil([&] { return offerer_.keys.has_value(); }, Seconds(2)));
  }

  Wire wire_;
  Offerer offerer_{&wire_};
  Newcomer newcomer_{&wire_, 7};
};

TEST_F(CandidateTest, TakesWhatHolds) {
  offerer_.SendRecords();
  wire_.RunFor(Milliseconds(5));
  ASSERT_EQ(offerer_.receipts.size(), 1u);
  EXPECT_EQ(offerer_.receipts[0].what, ReceiptOf::kRecords);
  offerer_.SendWelcome(offerer_.Good());
  wire_.RunFor(Milliseconds(50));
  ASSERT_TRUE(newcomer_.keyed());
  EXPECT_EQ(newcomer_.membership->lineage, 3u);
  EXPECT_TRUE(ViewOf(newcomer_.membership->records).members.contains(Identity(7)));
  ASSERT_EQ(offerer_.receipts.size(), 2u);
  EXPECT_EQ(offerer_.receipts[1].what, ReceiptOf::kKeys);

  offerer_.SendWelcome(offerer_.Good());
  wire_.RunFor(Milliseconds(50));
  EXPECT_EQ(offerer_.receipts.size(), 3u) << "its receipt was lost";
  wire_.RunFor(kKeyedMemory);
  offerer_.SendWelcome(offerer_.Good());
  wire_.RunFor(Milliseconds(50));
  EXPECT_EQ(offerer_.receipts.size(), 3u) << "the keys of the handshake are gone";
}

TEST_F(CandidateTest, NoKeysBeforeTheRecords) {
  offerer_.SendWelcome(offerer_.Good());
  wire_.RunFor(Milliseconds(50));
  EXPECT_EQ(newcomer_.candidate->state(), CandidateState::kAccepted);
  offerer_.SendRecords();
  offerer_.SendWelcome(offerer_.Good());
  wire_.RunFor(Milliseconds(50));
  EXPECT_TRUE(newcomer_.keyed());
}

TEST_F(CandidateTest, WithoutProgressAllIsForgotten) {
  wire_.RunFor(kAcceptPatience);
  EXPECT_EQ(newcomer_.candidate->state(), CandidateState::kBare);
  EXPECT_EQ(newcomer_.logs.size(), 1u);
}

struct BadWelcome {
  std::string what;
  std::function<void(Offerer*, Welcome*)> spoil;
};

class BadWelcomeTest : public CandidateTest, public ::testing::WithParamInterface<BadWelcome> {};

TEST_P(BadWelcomeTest, IsNotTaken) {
  Welcome welcome = offerer_.Good();
  GetParam().spoil(&offerer_, &welcome);
  offerer_.SendRecords();
  offerer_.SendWelcome(welcome);
  wire_.RunFor(Milliseconds(50));
  EXPECT_FALSE(newcomer_.membership);
  EXPECT_EQ(newcomer_.candidate->state(), CandidateState::kBare);
  EXPECT_EQ(newcomer_.logs.size(), 1u);
}

SessionGrant GrantBy(uint8_t signer, const Digest& rosters) {
  const ClusterKey key = {8};
  return {Record::Sign(Session{.head = Head(),
                               .signer = Identity(signer),
                               .key_id = 6,
                               .number = 1,
                               .rosters = rosters,
                               .key = DigestOf(key)},
                       KeyOf(signer)),
          key};
}

INSTANTIATE_TEST_SUITE_P(
    Table, BadWelcomeTest,
    ::testing::Values(
        BadWelcome{"no admission", [](Offerer*, Welcome* welcome) { welcome->admit.reset(); }},
        BadWelcome{"of another node", [](Offerer*, Welcome* welcome) { welcome->admit = AdmitRecord(1, 8); }},
        BadWelcome{"by a stranger", [](Offerer*, Welcome* welcome) { welcome->admit = AdmitRecord(8, 7); }},
        BadWelcome{"of another generation", [](Offerer*, Welcome* welcome) { welcome->admit = AdmitRecord(1, 7, 1); }},
        BadWelcome{"other rosters", [](Offerer*, Welcome* welcome) { welcome->rosters[0] ^= 1; }},
        BadWelcome{"no key", [](Offerer*, Welcome* welcome) { welcome->grants.clear(); }},
        BadWelcome{"key of a stranger",
                   [](Offerer*, Welcome* welcome) { welcome->grants = {GrantBy(8, welcome->rosters)}; }},
        BadWelcome{"key for other rosters", [](Offerer*, Welcome* welcome) { welcome->grants = {GrantBy(1, {1})}; }},
        BadWelcome{"another key than its record says",
                   [](Offerer*, Welcome* welcome) { welcome->grants[0].key[0] ^= 1; }},
        BadWelcome{"the offerer is out",
                   [](Offerer* offerer, Welcome* welcome) {
                     offerer->records.Add(RosterRecord(1, {2, 7}));
                     welcome->admit.reset();
                     welcome->rosters = ViewOf(offerer->records).rosters;
                     welcome->grants = {GrantBy(2, welcome->rosters)};
                   }}),
    [](const auto& each) {
      std::string name = each.param.what;
      std::ranges::replace(name, ' ', '_');
      return name;
    });

}  // namespace
}  // namespace qure::admission::test
