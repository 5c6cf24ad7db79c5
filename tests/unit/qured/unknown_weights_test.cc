#include "control/qured/unknown_weights.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace qure {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

TEST(FieldD10, WeightsForAnUnknownNodeAreNamed) {
  ClusterConfig config;
  config.services = {{.name = "web", .weights = {{"n1", 2}, {"n9", 1}}}, {.name = "mail", .weights = {{"n2", 0}}}};
  std::vector<NodeRow> nodes(2);
  nodes[0].name = "n1";
  nodes[1].name = "n2";
  EXPECT_THAT(UnknownWeights(config, nodes),
              ElementsAre(AllOf(HasSubstr("web"), HasSubstr("n9"), HasSubstr("n1, n2"))));
  nodes[1].name = "n9";
  EXPECT_THAT(UnknownWeights(config, nodes), ElementsAre(AllOf(HasSubstr("mail"), HasSubstr("n2"))));
  config.services.clear();
  EXPECT_THAT(UnknownWeights(config, nodes), IsEmpty());
}

}  // namespace
}  // namespace qure
