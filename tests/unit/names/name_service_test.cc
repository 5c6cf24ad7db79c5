// The DNS thread as the control thread uses it.
#include "control/names/name_service.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>

#include <atomic>
#include <functional>

#include "control/names/clock.h"
#include "proto/dns/name.h"

namespace qure::test {
namespace {

constexpr Duration kPatience = Seconds(20);

ClusterConfig LocalNames() {
  ClusterConfig config{.name = "home"};
  config.dns.local_names = true;
  config.mdns.enabled = false;  // sends nothing
  return config;
}

ClusterFacts Facts(const std::string& node) {
  ClusterFacts facts;
  facts.cluster = "home";
  facts.nodes = {{.name = node, .role = NodeRole::kMaster, .addresses = {*ParseIp("192.0.2.11")}, .alive = true}};
  return facts;
}

class NameServiceTest : public ::testing::Test {
 protected:
  // Takes news until `enough`.
  void Until(const std::function<bool(const NameService::News& news)>& enough) {
    const MonoTime until = SteadyNow() + kPatience;
    while (true) {
      ASSERT_LT(SteadyNow(), until);
      pollfd wait = {.fd = service_.fd(), .events = POLLIN, .revents = 0};
      poll(&wait, 1, 100);
      if (enough(service_.Take())) return;
    }
  }
  static bool Has(const NameService::News& news, std::string_view apex) {
    if (news.names == nullptr) return false;
    const auto is = [&](const auto& zone) { return zone->apex() == DnsNameToWire(apex).value(); };
    return std::ranges::any_of(news.names->own, is);
  }

  NameService service_{1, "none-such"};
};

TEST_F(NameServiceTest, GivesTheClustersNames) {
  service_.Configure(LocalNames());
  service_.OnFacts(Facts("n1"));
  Until([](const NameService::News& news) { return Has(news, "localcluster"); });
}

TEST_F(NameServiceTest, AnswersEachQuestionUnderItsTicket) {
  service_.Configure(LocalNames());
  service_.Ask(7, {{"what", "cache"}});
  service_.Ask(8, {{"what", "nonsense"}});
  service_.Ask(9, {{"what", 1}});
  std::map<uint64_t, nlohmann::ordered_json> answers;
  Until([&](const NameService::News& news) {
    answers.insert(news.answers.begin(), news.answers.end());
    return answers.size() == 3;
  });
  EXPECT_EQ(answers[7]["cache"]["entries"], 0);
  EXPECT_THAT(answers[8]["error"].get<std::string>(), ::testing::HasSubstr("qurectl help"));
  EXPECT_TRUE(answers[9].contains("zones"));
}

TEST_F(NameServiceTest, LeavesWhenNothingIsRegistered) {
  service_.Configure(LocalNames());
  service_.OnFacts(Facts("n1"));
  service_.Leave();
  Until([](const NameService::News& news) { return news.left; });
}

// The control thread and the metrics thread use it at the same time.
TEST_F(NameServiceTest, SeveralThreadsUseIt) {
  service_.Configure(LocalNames());
  std::atomic<bool> over = false;
  std::thread metrics([&] {
    while (!over) service_.Show();
  });
  for (int i = 0; i < 50; ++i) {
    service_.OnFacts(Facts("n" + std::to_string(i)));
    service_.Configure(LocalNames());
  }
  service_.Ask(1, {{"what", "zones"}});
  Until([](const NameService::News& news) { return !news.answers.empty(); });
  over = true;
  metrics.join();
  EXPECT_TRUE(service_.Show().contains("cache"));
}

}  // namespace
}  // namespace qure::test
