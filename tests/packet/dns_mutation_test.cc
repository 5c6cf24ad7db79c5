// A million damaged queries: whatever comes in, what goes out is sound, small enough, and never an answer to an answer.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <random>

#include "proto/dns/answer.h"
#include "proto/dns/message.h"
#include "tests/support/dns_reader.h"
#include "tests/support/harness.h"
#include "tests/support/packets.h"

namespace qure::testing {
namespace {

constexpr int kQueries = 1'000'000;
constexpr int kReadEvery = 4;  // answers are read whole
constexpr size_t kRoom = 2048;

std::vector<Bytes> Queries() {
  std::vector<Bytes> queries;
  for (const char* name : {"www.home.example", "alias.home.example", "any.apps.home.example", "www.branch.home.example",
                           "nowhere.home.example", "turns.home.example", "unknown.home.example", "address.home.example",
                           "elsewhere.example"}) {
    for (const uint16_t type : {kDnsTypeA, kDnsTypeTxt, kDnsTypeNs, kDnsTypeAny}) {
      queries.push_back(Build(Dns{.name = name, .type = type}));
      queries.push_back(Build(Dns{.name = name,
                                  .type = type,
                                  .edns_payload = 4096,
                                  .options = {0, 3, 0, 0, 0, 10, 0, 8, 1, 2, 3, 4, 5, 6, 7, 8}}));
    }
  }
  queries.push_back(Build(Dns{.name = "id.server", .type = kDnsTypeTxt, .klass = kDnsClassChaos}));
  return queries;
}

// Some bytes changed, cut off, inserted or repeated.
void Damage(std::mt19937_64* random, Bytes* message) {
  const auto below = [&](size_t n) { return static_cast<size_t>((*random)() % n); };
  for (size_t changes = below(4) + 1; changes > 0 && !message->empty(); --changes) {
    const size_t at = below(message->size());
    switch (below(5)) {
      case 0:
        (*message)[at] = static_cast<uint8_t>((*random)());
        break;
      case 1:
        (*message)[at] ^= static_cast<uint8_t>(1U << below(8));
        break;
      case 2:
        message->resize(at);
        break;
      case 3:
        message->insert(message->begin() + static_cast<ptrdiff_t>(at), static_cast<uint8_t>((*random)()));
        break;
      default: {
        const Bytes tail(message->begin() + static_cast<ptrdiff_t>(at), message->end());
        message->insert(message->end(), tail.begin(), tail.end());
        message->resize(std::min(message->size(), kRoom / 2));
      }
    }
  }
}

TEST(DnsMutation, WhateverComesInWhatGoesOutIsSound) {
  const std::shared_ptr<const DnsAuthority> authority = SiteSnapshot().dns;
  const std::vector<Bytes> queries = Queries();
  std::mt19937_64 random(20'261);
  int answered = 0;
  for (int i = 0; i < kQueries; ++i) {
    Bytes query = queries[random() % queries.size()];
    Damage(&random, &query);
    const bool response = query.size() >= sizeof(DnsHeader) && (query[2] & 0x80) != 0;
    std::array<uint8_t, kRoom> message{};
    std::copy(query.begin(), query.end(), message.begin());
    const DnsClient client = {.address = IpAddress(kClient4), .time = kUnixTime, .stream = i % 8 == 0};
    const DnsReply reply = AnswerDns(*authority, client, message.data(), static_cast<uint16_t>(query.size()),
                                     static_cast<uint16_t>(kRoom));
    if (VerdictOf(reply.reason) != Verdict::kAnswer) continue;
    ++answered;
    ASSERT_FALSE(response) << "query " << i;
    ASSERT_EQ(std::memcmp(message.data(), query.data(), 2), 0) << "query " << i << ": the id";
    DnsQuery asked;
    static_cast<void>(ParseDnsQuery(query, &asked));
    ASSERT_LE(reply.length, client.stream ? kRoom : asked.payload_limit) << "query " << i;
    if (i % kReadEvery != 0) continue;
    const Bytes answer(message.begin(), message.begin() + reply.length);
    ASSERT_TRUE(ReadDns(answer)) << "query " << i;
    ASSERT_NE(answer[2] & 0x80, 0) << "query " << i;
  }
  EXPECT_GT(answered, kQueries / 2);
}

}  // namespace
}  // namespace qure::testing
