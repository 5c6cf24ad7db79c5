// Signatures against those of another implementation, ldns, for the algorithms that it knows.
#include "proto/dns/tsig.h"

#include <gtest/gtest.h>

#include <ctime>
#include <tuple>

#include "proto/dns/ldns.h"
#include "proto/dns/message.h"
#include "proto/dns/name.h"
#include "proto/dns/response.h"

namespace qure::test {
namespace {

constexpr char kSecretText[] = "c2VjcmV0IG9mIGEgY2x1c3Rlcg==";  // "secret of a cluster"
constexpr uint64_t kThen = 1'800'000'000;

TsigKey Key(TsigAlgorithm algorithm = TsigAlgorithm::kHmacSha256) {
  return {.name = DnsNameToWire("home1").value(), .algorithm = algorithm, .secret = "secret of a cluster"};
}

std::vector<uint8_t> Question() {
  return WriteDnsQuestion({.name = DnsNameToWire("home1.example").value(), .type = kDnsTypeA}, 0x1234);
}

LdnsPacket Parse(const std::vector<uint8_t>& message) {
  ldns_pkt* packet = nullptr;
  EXPECT_EQ(ldns_wire2pkt(&packet, message.data(), message.size()), LDNS_STATUS_OK);
  return LdnsPacket(packet);
}

// The MAC as ldns takes it: behind its length.
LdnsData MacRdf(const std::string& mac) {
  std::string bytes = {static_cast<char>(mac.size() >> 8), static_cast<char>(mac.size())};
  bytes += mac;
  return LdnsData(ldns_rdf_new_frm_data(LDNS_RDF_TYPE_INT16_DATA, bytes.size(), bytes.data()));
}

// What ldns, as a server, answers to a request with this MAC; signed at the system's time.
std::vector<uint8_t> AnswerOfLdns(const std::string& request_mac, const char* secret = kSecretText,
                                  const char* name = "home1.") {
  std::vector<uint8_t> bare = Question();
  bare[2] |= 0x80;
  const LdnsPacket packet = Parse(bare);
  const LdnsData mac = MacRdf(request_mac);
  EXPECT_EQ(ldns_pkt_tsig_sign(packet.get(), name, secret, kTsigFudge, "hmac-sha256.", mac.get()), LDNS_STATUS_OK);
  uint8_t* wire = nullptr;
  size_t size = 0;
  EXPECT_EQ(ldns_pkt2wire(&wire, packet.get(), &size), LDNS_STATUS_OK);
  const LdnsBytes owned(wire);
  return {wire, wire + size};
}

uint64_t Now() {
  return static_cast<uint64_t>(std::time(nullptr));
}

TEST(Tsig, LdnsTakesWhatIsSigned) {
  for (const TsigAlgorithm algorithm : {TsigAlgorithm::kHmacSha256, TsigAlgorithm::kHmacSha512}) {
    std::vector<uint8_t> message = Question();
    const std::string mac = TsigSign(Key(algorithm), kThen, &message);
    EXPECT_EQ(mac.size(), algorithm == TsigAlgorithm::kHmacSha256 ? 32U : 64U);
    const LdnsPacket packet = Parse(message);
    ASSERT_NE(ldns_pkt_tsig(packet.get()), nullptr);
    EXPECT_TRUE(ldns_pkt_tsig_verify(packet.get(), message.data(), message.size(), "home1.", kSecretText, nullptr));
    EXPECT_FALSE(ldns_pkt_tsig_verify(packet.get(), message.data(), message.size(), "home1.", "AAAA", nullptr));
  }
}

TEST(Tsig, TakesWhatLdnsSigns) {
  const std::string request_mac(32, 'm');
  const TsigResult result = TsigVerify(Key(), request_mac, Now(), AnswerOfLdns(request_mac));
  EXPECT_EQ(result.kind, TsigResult::Kind::kSound);
  EXPECT_EQ(result.error, 0);
  EXPECT_LE(Now() - result.server_time, 5U);
}

TEST(Tsig, AnAnswerIsForOneRequest) {
  const TsigResult result = TsigVerify(Key(), std::string(32, 'o'), Now(), AnswerOfLdns(std::string(32, 'm')));
  EXPECT_EQ(result.kind, TsigResult::Kind::kForged);
}

TEST(Tsig, EveryByteCounts) {
  const std::string request_mac(32, 'm');
  const std::vector<uint8_t> answer = AnswerOfLdns(request_mac);
  for (size_t i = 2; i < answer.size(); ++i) {  // the id is not signed: forwarders change it
    std::vector<uint8_t> changed = answer;
    changed[i] ^= 0x41;  // keeps no byte and no letter as it is
    EXPECT_NE(TsigVerify(Key(), request_mac, Now(), changed).kind, TsigResult::Kind::kSound) << "byte " << i;
  }
  for (size_t size = 0; size < answer.size(); ++size) {
    EXPECT_EQ(TsigVerify(Key(), request_mac, Now(), ConstBytes(answer).first(size)).kind, TsigResult::Kind::kUnsigned);
  }
}

TEST(Tsig, OtherSecretsNamesAndAlgorithmsAreToldApart) {
  const std::string mac(32, 'm');
  EXPECT_EQ(TsigVerify(Key(), mac, Now(), AnswerOfLdns(mac, "AAAA")).kind, TsigResult::Kind::kForged);
  EXPECT_EQ(TsigVerify(Key(), mac, Now(), AnswerOfLdns(mac, kSecretText, "home2.")).kind, TsigResult::Kind::kForeign);
  EXPECT_EQ(TsigVerify(Key(TsigAlgorithm::kHmacSha384), mac, Now(), AnswerOfLdns(mac)).kind,
            TsigResult::Kind::kForeign);
}

TEST(Tsig, AnswersOfAnotherTimeAreStale) {
  const std::string mac(32, 'm');
  const std::vector<uint8_t> answer = AnswerOfLdns(mac);
  EXPECT_EQ(TsigVerify(Key(), mac, Now() + kTsigFudge - 5, answer).kind, TsigResult::Kind::kSound);
  EXPECT_EQ(TsigVerify(Key(), mac, Now() + kTsigFudge + 5, answer).kind, TsigResult::Kind::kStale);
  EXPECT_EQ(TsigVerify(Key(), mac, Now() - kTsigFudge - 5, answer).kind, TsigResult::Kind::kStale);
}

TEST(Tsig, AnUnsignedMessageIsSaidToBe) {
  EXPECT_EQ(TsigVerify(Key(), {}, kThen, Question()).kind, TsigResult::Kind::kUnsigned);
}

TEST(Tsig, PointersThatLeadNowhereAreNoName) {
  // A header with one additional record whose name is a pointer to itself, and one behind the end.
  for (const uint8_t target : {uint8_t{12}, uint8_t{200}}) {
    std::vector<uint8_t> message = {0, 1, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xc0, target};
    message.resize(60, 0);
    EXPECT_EQ(TsigVerify(Key(), {}, kThen, message).kind, TsigResult::Kind::kUnsigned);
  }
}

}  // namespace
}  // namespace qure::test
