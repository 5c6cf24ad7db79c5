#include "control/operator/cluster_metrics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "prometheus/text_serializer.h"
#include "tests/support/sample_node.h"

namespace qure {
namespace {

using testing::AllOf;
using testing::HasSubstr;

std::string Scrape(const NodeStatus& node) {
  Families families;
  CollectCluster(node, &families);
  return prometheus::TextSerializer().Serialize(families.Take());
}

TEST(ClusterMetrics, RoleIsOneHot) {
  const std::string text = Scrape(SampleMaster());
  EXPECT_THAT(text, HasSubstr("\nqure_role{role=\"master\"} 1\n"));
  for (const char* role : {"deputy", "member", "candidate", "idle", "standby"}) {
    EXPECT_THAT(text, HasSubstr("\nqure_role{role=\"" + std::string(role) + "\"} 0\n"));
  }
}

TEST(ClusterMetrics, MembersByStateCountThisNodeToo) {
  const std::string text = Scrape(SampleMaster());
  EXPECT_THAT(text, HasSubstr("\nqure_members{state=\"alive\"} 2\n"));
  EXPECT_THAT(text, HasSubstr("\nqure_members{state=\"suspect\"} 0\n"));
  EXPECT_THAT(text, HasSubstr("\nqure_members{state=\"down\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("\nqure_members{state=\"left\"} 0\n"));
}

TEST(ClusterMetrics, LifeOfTheCluster) {
  const std::string text = Scrape(SampleMaster());
  for (const char* line :
       {"qure_era 2", "qure_age 3", "qure_cluster_uptime_seconds 18180", "qure_history_events 40", "qure_term_era 2",
        "qure_term_epoch 17", "qure_clustered 1", "qure_maintenance 0", "qure_ineligible 0", "qure_multicast_works 1",
        "qure_persist_failures 1", "qure_store_alarm 0"}) {
    EXPECT_THAT(text, HasSubstr("\n" + std::string(line) + "\n"));
  }
}

TEST(ClusterMetrics, TakeoversByCauseAndDuration) {
  const std::string text = Scrape(SampleMaster());
  EXPECT_THAT(text, HasSubstr("\nqure_takeovers_total{cause=\"silence\"} 2\n"));
  EXPECT_THAT(text, HasSubstr("\nqure_takeovers_total{cause=\"handover\"} 0\n"));
  EXPECT_THAT(text, HasSubstr("\nqure_takeover_duration_seconds_count 2\n"));
  EXPECT_THAT(text, HasSubstr("\nqure_takeover_duration_seconds_sum 0.022\n"));
  EXPECT_THAT(text, HasSubstr("\nqure_takeover_duration_seconds_bucket{le=\"0.005\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("\nqure_takeover_duration_seconds_bucket{le=\"0.015\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("\nqure_takeover_duration_seconds_bucket{le=\"0.02\"} 2\n"));
  EXPECT_THAT(text, HasSubstr("\nqure_takeover_duration_seconds_bucket{le=\"+Inf\"} 2\n"));
}

TEST(ClusterMetrics, LeaseAndHeartbeats) {
  const std::string text = Scrape(SampleMaster());
  EXPECT_THAT(text, HasSubstr("\nqure_lease_seconds 0.015\n"));
  EXPECT_THAT(text, HasSubstr("\nqure_lease_longest_gap_seconds 0.0045\n"));
  EXPECT_THAT(text, HasSubstr("\nqure_lease_round_trip_seconds 0.00025\n"));
  EXPECT_THAT(text, HasSubstr("\nqure_heartbeats_total{direction=\"sent\",kind=\"heartbeat\"} 100\n"));
  EXPECT_THAT(text, HasSubstr("\nqure_heartbeats_total{direction=\"sent\",kind=\"ack\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("\nqure_heartbeats_total{direction=\"received\",kind=\"heartbeat\"} 2\n"));
  EXPECT_THAT(text, HasSubstr("\nqure_heartbeats_total{direction=\"received\",kind=\"ack\"} 99\n"));
  EXPECT_THAT(text, HasSubstr("\nqure_heartbeats_rejected_total{reason=\"other_term\"} 5\n"));
  EXPECT_THAT(text, HasSubstr("\nqure_heartbeats_rejected_total{reason=\"unexpected\"} 0\n"));
  EXPECT_EQ(text.find("reason=\"none\""), std::string::npos);
}

TEST(ClusterMetrics, RejectedDatagramsByReason) {
  const std::string text = Scrape(SampleMaster());
  for (size_t i = 0; i < kRejectCount; ++i) {
    const auto reject = static_cast<Reject>(i);
    const std::string expected = "\nqure_datagrams_rejected_total{reason=\"" + std::string(NameOf(reject)) + "\"} " +
                                 (reject == Reject::kReplayed ? "6" : "0") + "\n";
    EXPECT_THAT(text, HasSubstr(expected));
  }
}

TEST(ClusterMetrics, AlarmsAreRaised) {
  NodeStatus node = SampleMaster();
  node.store_alarm = "disk full";
  node.controller.ineligible = true;
  node.controller.maintenance = true;
  node.controller.multicast_works = false;
  EXPECT_THAT(Scrape(node), AllOf(HasSubstr("\nqure_store_alarm 1\n"), HasSubstr("\nqure_ineligible 1\n"),
                                  HasSubstr("\nqure_maintenance 1\n"), HasSubstr("\nqure_multicast_works 0\n")));
}

TEST(DurationHistogramTest, CountsASpanInEveryBucketThatHoldsIt) {
  DurationHistogram histogram;
  histogram.Add(DurationHistogram::kBounds[2]);
  EXPECT_EQ(histogram.cumulative(1), 0u);
  EXPECT_EQ(histogram.cumulative(2), 1u);
  EXPECT_EQ(histogram.cumulative(DurationHistogram::kBounds.size() - 1), 1u);
  histogram.Add(Seconds(3600));
  EXPECT_EQ(histogram.cumulative(DurationHistogram::kBounds.size() - 1), 1u);
  EXPECT_EQ(histogram.count(), 2u);
  EXPECT_EQ(histogram.sum(), DurationHistogram::kBounds[2] + Seconds(3600));
}

}  // namespace
}  // namespace qure
