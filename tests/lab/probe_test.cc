// What the probe counts as an outage: the failover figures depend on it.
#include <gtest/gtest.h>

#include <algorithm>
#include <initializer_list>

#include "tests/lab/probe_question.h"
#include "tests/lab/probe_record.h"

namespace qure::lab {
namespace {

constexpr int64_t kInterval = kMillisecond;
constexpr int64_t kPatience = 100 * kMillisecond;
constexpr int64_t kStart = 5'000 * kMillisecond;

// `count` packets, one a millisecond, all but `lost` answered at once.
ProbeRecord Sent(uint64_t count, std::initializer_list<uint64_t> lost) {
  ProbeRecord record(kInterval, kPatience);
  for (uint64_t i = 0; i < count; ++i) {
    const int64_t at = kStart + static_cast<int64_t>(i) * kInterval;
    const uint64_t number = record.Send(at, at);
    if (std::find(lost.begin(), lost.end(), i) == lost.end()) record.Answer(number, at + 1000);
  }
  return record;
}

TEST(ProbeRecord, NoLossNoOutage) {
  const auto report = Sent(10, {}).ToJson(kStart + 10 * kInterval);
  EXPECT_EQ(report.at("lost"), 0);
  EXPECT_EQ(report.at("outage_ms"), 0.0);
  EXPECT_TRUE(report.at("gaps").empty());
}

TEST(ProbeRecord, LongestRunOfLostPacketsIsTheOutage) {
  const ProbeRecord record = Sent(40, {3, 10, 11, 12, 13, 14, 15, 16});
  const auto report = record.ToJson(kStart + 40 * kInterval);
  EXPECT_EQ(report.at("sent"), 40);
  EXPECT_EQ(report.at("lost"), 8);
  EXPECT_EQ(report.at("outage_ms"), 7.0);
  ASSERT_EQ(report.at("gaps").size(), 1u) << "one lost packet is too short a gap to report";
  EXPECT_EQ(report.at("gaps")[0].at("from_ns"), kStart + 9 * kInterval);
  EXPECT_EQ(report.at("gaps")[0].at("to_ns"), kStart + 17 * kInterval);
  EXPECT_EQ(report.at("gaps")[0].at("lost"), 7);
  EXPECT_EQ(record.Gaps(kStart + 40 * kInterval).size(), 2u);
}

TEST(ProbeRecord, LateSenderIsNoOutage) {
  ProbeRecord record(kInterval, kPatience);
  record.Answer(record.Send(0, 0), 1000);
  record.Answer(record.Send(kInterval, 50 * kMillisecond), 51 * kMillisecond);
  const auto report = record.ToJson(60 * kMillisecond);
  EXPECT_EQ(report.at("outage_ms"), 0.0);
  EXPECT_EQ(report.at("sender_late_ms"), 49.0);
}

TEST(ProbeRecord, OutageAtTheEndLastsToTheEnd) {
  const ProbeRecord record = Sent(10, {7, 8, 9});
  const std::vector<Gap> gaps = record.Gaps(kStart + 20 * kInterval);
  ASSERT_EQ(gaps.size(), 1u);
  EXPECT_TRUE(gaps[0].open);
  EXPECT_EQ(gaps[0].length_ns, 13 * kInterval);
}

TEST(ProbeRecord, DuplicatesAndLateAnswers) {
  ProbeRecord record(kInterval, kPatience);
  const uint64_t number = record.Send(0, 0);
  record.Answer(number, 10);
  record.Answer(number, 20);
  record.Answer(record.Send(kInterval, kInterval), kInterval + kPatience + 1);
  record.Answer(77, 30);
  EXPECT_EQ(record.answered(), 1u);
  EXPECT_EQ(record.duplicates(), 1u);
  const auto report = record.ToJson(2 * kInterval);
  EXPECT_EQ(report.at("late"), 1);
  EXPECT_EQ(report.at("lost"), 1);
}

TEST(ProbeQuestion, DnsIdMeansTheLastPacketWithIt) {
  const auto question = MakeDnsQuery("192.0.2.1", "www.example");
  ASSERT_NE(question, nullptr);
  std::vector<uint8_t> answer = question->Make(70'000);
  EXPECT_EQ(question->NumberOf(answer, 70'001), std::nullopt) << "a query is not an answer";
  answer[2] |= 0x80;
  EXPECT_EQ(question->NumberOf(answer, 70'001), 70'000u);
  EXPECT_EQ(question->NumberOf(answer, 70'100), 70'000u);
  EXPECT_EQ(question->NumberOf(answer, 100), std::nullopt) << "never sent";
  answer[3] |= 2;
  EXPECT_EQ(question->NumberOf(answer, 70'001), std::nullopt) << "SERVFAIL";
}

TEST(ProbeQuestion, EchoKnowsItsOwn) {
  const auto question = MakeEcho("2001:db8::1");
  const auto other = MakeEcho("2001:db8::1");
  ASSERT_NE(question, nullptr);
  std::vector<uint8_t> answer = question->Make(0x1234567890);
  EXPECT_EQ(question->NumberOf(answer, 0), std::nullopt) << "a request is not a reply";
  answer[0] = 129;
  EXPECT_EQ(question->NumberOf(answer, 0), 0x1234567890u);
  EXPECT_EQ(other->NumberOf(answer, 0), std::nullopt) << "another probe's";
  answer.pop_back();
  EXPECT_EQ(question->NumberOf(answer, 0), std::nullopt);
  EXPECT_EQ(MakeEcho("nowhere"), nullptr);
}

}  // namespace
}  // namespace qure::lab
