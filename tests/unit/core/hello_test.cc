// HELLO at the limits of a configuration: it has to fit one datagram, and to say the same as a short one.
#include "control/core/hello.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <map>
#include <set>
#include <string>

#include "absl/strings/str_cat.h"
#include "control/core/wire.h"
#include "google/protobuf/descriptor.h"
#include "google/protobuf/message.h"
#include "proto/snapshot.h"
#include "tests/unit/core/pair.h"

namespace qure::test {
namespace {

using ::google::protobuf::FieldDescriptor;
using ::testing::IsEmpty;
using ::testing::SizeIs;

// The longest texts that this node's own code puts into a field.
const std::map<std::string, size_t> kLongest = {{"name", 63},           {"revision", 64}, {"master", 16},
                                                {"deputy", 16},         {"address6", 16}, {"identity", 32},
                                                {"services_compact", 0}};

// Sets every field of `message` that is neither repeated nor unlimited to a value of its greatest length.
void Fill(google::protobuf::Message* message) {
  const google::protobuf::Reflection& fields = *message->GetReflection();
  for (int i = 0; i < message->GetDescriptor()->field_count(); ++i) {
    const FieldDescriptor* const field = message->GetDescriptor()->field(i);
    if (field->is_repeated()) continue;
    switch (field->cpp_type()) {
      case FieldDescriptor::CPPTYPE_INT32:
        fields.SetInt32(message, field, -1);
        break;
      case FieldDescriptor::CPPTYPE_UINT32:
        fields.SetUInt32(message, field, std::numeric_limits<uint32_t>::max());
        break;
      case FieldDescriptor::CPPTYPE_UINT64:
        fields.SetUInt64(message, field, std::numeric_limits<uint64_t>::max());
        break;
      case FieldDescriptor::CPPTYPE_BOOL:
        fields.SetBool(message, field, true);
        break;
      case FieldDescriptor::CPPTYPE_STRING: {
        const auto longest = kLongest.find(field->name());
        ASSERT_NE(longest, kLongest.end()) << field->name() << ": how long may it be?";
        fields.SetString(message, field, std::string(longest->second, 'x'));
        break;
      }
      case FieldDescriptor::CPPTYPE_MESSAGE:
        Fill(fields.MutableMessage(message, field));
        break;
      default:
        FAIL() << field->name() << " is of a type that this test does not know";
    }
  }
}

IpPrefix AddressOf(bool v6, size_t number) {
  const auto last = static_cast<uint8_t>(number + 1);
  if (!v6) return {Ipv4Address{{198, 51, 100, last}}, 24};
  return {Ipv6Address{{0x20, 1, 0xd, 0xb8, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, last}}, 64};
}

wire::Hello LongestHello() {
  wire::Hello hello;
  Fill(&hello);
  for (const bool v6 : {false, true}) {
    for (size_t i = 0; i < kMaxServiceAddresses; ++i) WriteHeld(AddressOf(v6, i), hello.add_held());
  }
  for (size_t i = 0; i < kMaxServices; ++i) {
    wire::ServiceStatus* const status = hello.add_services();
    status->set_service(UINT32_MAX - static_cast<uint32_t>(i));
    status->set_weight(UINT8_MAX);
    status->set_unhealthy(true);
  }
  return hello;
}

ClusterConfig LargestConfig() {
  ClusterConfig config;
  config.name = kCluster;
  for (const bool v6 : {false, true}) {
    for (size_t i = 0; i < kMaxServiceAddresses; ++i) config.addresses.push_back({.candidates = {AddressOf(v6, i)}});
  }
  return config;
}

std::vector<ServiceConfig> MostServices() {
  std::vector<ServiceConfig> services;
  for (uint16_t i = 0; i < kMaxServices; ++i) {
    const auto port = static_cast<uint16_t>(1000 + i);
    services.push_back({.name = absl::StrCat("service-", i), .protocol = 6, .first_port = port, .last_port = port});
    services.back().check.kind = HealthCheck::Kind::kTcp;
  }
  return services;
}

TEST(FieldE9, TheLongestHelloFitsADatagramInEachMessageThatCarriesOne) {
  wire::Hello hello = LongestHello();
  ASSERT_GT(hello.ByteSizeLong(), kMaxMessage) << "nothing to make compact";
  CompactIfLong(&hello);
  EXPECT_LE(hello.ByteSizeLong(), kMaxHello);
  wire::Message alone;
  *alone.mutable_hello() = hello;
  wire::Message pong;
  pong.mutable_pong()->set_nonce(UINT64_MAX);
  *pong.mutable_pong()->mutable_hello() = hello;
  wire::Message claim;
  Fill(claim.mutable_claim()->mutable_term());
  *claim.mutable_claim()->mutable_hello() = hello;
  for (const wire::Message& message : {alone, pong, claim}) EXPECT_LE(message.ByteSizeLong(), kMaxMessage);
}

TEST(FieldE9, ACompactHelloSaysTheSame) {
  wire::Hello before = LongestHello();
  before.mutable_services(5)->set_unchecked(true);
  before.mutable_services(6)->set_unreached(true);
  wire::Message message;
  *message.mutable_hello() = before;
  CompactIfLong(message.mutable_hello());
  EXPECT_THAT(message.hello().held(), IsEmpty());
  EXPECT_THAT(message.hello().services(), IsEmpty());
  const wire::Hello* const hello = UnfoldHello(&message);
  ASSERT_NE(hello, nullptr);
  ASSERT_EQ(hello->services_size(), before.services_size());
  for (int i = 0; i < before.services_size(); ++i) {
    EXPECT_EQ(hello->services(i).service(), before.services(i).service());
    EXPECT_EQ(hello->services(i).weight(), before.services(i).weight());
    EXPECT_EQ(hello->services(i).unhealthy(), before.services(i).unhealthy());
    EXPECT_EQ(hello->services(i).unchecked(), before.services(i).unchecked());
    EXPECT_EQ(hello->services(i).unreached(), before.services(i).unreached());
  }
  const ClusterConfig config = LargestConfig();
  EXPECT_EQ(HeldBy(*hello, config), HeldBy(before, config));
  EXPECT_THAT(HeldBy(*hello, config), SizeIs(2 * kMaxServiceAddresses));
  ClusterConfig fewer = config;
  fewer.addresses.resize(3);
  EXPECT_THAT(HeldBy(*hello, fewer), SizeIs(3)) << "what a node does not have, it cannot follow";
}

TEST(FieldE9, AShortHelloStaysAsItIs) {
  wire::Hello hello;
  WriteHeld(AddressOf(false, 1), hello.add_held());
  hello.add_services()->set_service(7);
  const std::string before = hello.SerializeAsString();
  CompactIfLong(&hello);
  EXPECT_EQ(hello.SerializeAsString(), before);
}

// A key makes a node a member, not right.
TEST(FieldE9, WhatACompactHelloSaysTooMuchIsNotTaken) {
  wire::Message message;
  message.mutable_hello()->set_services_compact(std::string(6 * (kMaxServices + 9) + 5, '\1'));
  EXPECT_THAT(UnfoldHello(&message)->services(), SizeIs(kMaxServices));
}

// Two nodes at the limits of a configuration, with every check failing on both: they stay a cluster.
TEST(FieldE9, NodesAtTheLimitsHearEachOther) {
  const auto facts = [](uint8_t number) {
    NodeFacts made = Side::FactsOfNode(number);
    made.name = std::string(62, 'n') + static_cast<char>('0' + number);
    made.revision = std::string(100, 'r');
    made.address6 = Ipv6Address{{0x20, 1, 0xd, 0xb8, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, number}};
    return made;
  };
  Side one(facts(1), LargestConfig(), MostServices());
  Side other(facts(2), LargestConfig(), MostServices());
  std::set<std::string> all;
  for (const ServiceConfig& service : MostServices()) all.insert(service.name);
  MonoTime now = kStart;
  for (Side* side : {&one, &other})
    side->Do(now, side->controller.OnHealth(now, {.unhealthy = all, .unchecked = {}, .unreached = {}}));

  const auto united = [&](const Side& master, const Side& member) {
    return master.Leads(now) && member.Follows(now, master);
  };
  const auto ready = [&] { return united(one, other) || united(other, one); };
  for (const MonoTime end = now + Seconds(20); now < end && !ready();) Pump(now = now + Milliseconds(1), &one, &other);
  ASSERT_TRUE(ready());
  for (const MonoTime end = now + Seconds(10); now < end;) {
    Pump(now = now + Milliseconds(1), &one, &other);
    ASSERT_TRUE(ready()) << "after " << (now - kStart).ns / 1'000'000 << " ms";
  }
  const Side& master = one.Leads(now) ? one : other;
  const Side& member = one.Leads(now) ? other : one;
  for (const ClaimStatus& claim : master.controller.status(now).claims) EXPECT_EQ(claim.state, ClaimState::kHeld);
  EXPECT_EQ(master.controller.status(now).oversized, 0u);
  EXPECT_EQ(member.controller.status(now).oversized, 0u);
  for (const ServiceRow& row : member.controller.status(now).services) {
    EXPECT_THAT(row.unfit_at, SizeIs(2)) << row.name;
  }
}

}  // namespace
}  // namespace qure::test
