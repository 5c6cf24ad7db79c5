// What of a configuration file is the cluster's.
#include "control/config/shared_part.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "absl/strings/str_cat.h"
#include "control/config/config_file.h"
#include "control/config/config_keys.h"
#include "control/core/admission/codes.h"
#include "control/core/admission/records.h"
#include "control/core/cluster/identity.h"

namespace qure {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

constexpr char kFile[] = R"([node]
name = "n1"
addresses = [
  "198.51.100.7/24",
]
[node.lan]
port = "af_packet:eth0"

# What we serve.
[cluster]
name = "home"
key = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"
gateway = ["198.51.100.1"]  # the router
port = 7900

[[cluster.address]]
address = "198.51.100.50/24"

[[cluster.service]]
name = "web"
protocol = "tcp"
ports = "80"
)";

std::string Shared(const std::string& toml) {
  const absl::StatusOr<std::string> shared = SharedPart(toml, "n1.toml");
  EXPECT_TRUE(shared.ok()) << shared.status();
  return shared.value_or("");
}

size_t LineOf(const std::string& text, const std::string& what) {
  return static_cast<size_t>(std::count(text.begin(), text.begin() + static_cast<long>(text.find(what)), '\n')) + 1;
}

TEST(SharedPartTest, IsTheFileWithoutWhatIsTheNodes) {
  const std::string shared = Shared(kFile);
  for (const char* const kept : {"# What we serve.", "gateway = [\"198.51.100.1\"]  # the router",
                                 "[[cluster.address]]", "name = \"web\"", "ports = \"80\""}) {
    EXPECT_THAT(shared, HasSubstr(kept));
    EXPECT_EQ(LineOf(shared, kept), LineOf(kFile, kept)) << kept;
  }
  for (const char* const own : {"[node", "n1", "198.51.100.7", "home", "key", "0011", "7900"}) {
    EXPECT_THAT(shared, Not(HasSubstr(own)));
  }
  EXPECT_EQ(Shared(shared), shared);
}

TEST(SharedPartTest, KeysThatAreCommentedOutAreNotShared) {
  const std::string shared = Shared(
      "[node]\n# of n1\nname = \"n1\"\n\n# all:\n[cluster]\n"
      "# key = \"00112233445566778899aabbccddeeff\"\ndefault = \"drop\"\n");
  EXPECT_THAT(shared, Not(HasSubstr("0011")));
  EXPECT_THAT(shared, Not(HasSubstr("of n1")));
  EXPECT_THAT(shared, HasSubstr("\n# all:\n[cluster]\n# key"));
}

TEST(SharedPartTest, DottedKeysAreTakenApartToo) {
  const std::string shared = Shared("node.name = \"n1\"\ncluster.key = \"x\"\ncluster.default = \"drop\"\n");
  EXPECT_EQ(shared, "\n\ncluster.default = \"drop\"\n");
}

TEST(SharedPartTest, WhatCannotBeTakenApartIsRefused) {
  for (const char* const toml :
       {"cluster = { key = \"x\", default = \"drop\" }\n", "[cluster]\ndefault = \"\"\"\n[node]\n\"\"\"\n"}) {
    const absl::StatusOr<std::string> shared = SharedPart(toml, "n1.toml");
    EXPECT_FALSE(shared.ok()) << toml;
    EXPECT_THAT(std::string(shared.status().message()), HasSubstr("n1.toml:1: cluster: "));
  }
  EXPECT_THAT(std::string(SharedPart("[cluster\n", "n1.toml").status().message()), HasSubstr("n1.toml:1: syntax"));
}

TEST(SharedPartTest, ListsTheKeysThatAreTheClusters) {
  EXPECT_THAT(SharedKeysIn(kFile), ElementsAre("cluster.address", "cluster.gateway", "cluster.service"));
  EXPECT_THAT(SharedKeysIn("[cluster]\nname = \"home\"\n"), IsEmpty());
}

// Of a node that runs `text` for all that is the cluster's.
absl::StatusOr<Config> WithShared(const std::string& own, const std::string& text) {
  return ParseConfig(own, "own.toml", {.joined = std::nullopt, .shared = std::make_shared<const std::string>(text)});
}

TEST(SharedPartTest, EveryKeyOfANodeIsItsOwn) {
  for (const ConfigKey& key : ConfigKeys()) {
    // What only a restart changes cannot be changed on all nodes at once.
    const bool fixed = key.same != nullptr;
    EXPECT_TRUE(IsNodesOwn(key.path) || (!fixed && !key.path.starts_with("node."))) << key.path;
  }
  EXPECT_FALSE(IsNodesOwn("cluster.service.name"));
}

TEST(SharedPartTest, ANodeRunsItsOwnPartAndTheClusters) {
  const std::string own =
      "[node]\nname = \"n2\"\n[node.lan]\nport = \"af_packet:eth0\"\n[cluster]\nname = \"home\"\n"
      "join = \"any\"\ndefault = \"drop\"\n";
  const absl::StatusOr<Config> config = WithShared(own, Shared(kFile));
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ(config->node.name, "n2");
  EXPECT_EQ(config->cluster.name, "home");
  EXPECT_TRUE(config->cluster.network.join);
  EXPECT_EQ(config->cluster.default_policy, DefaultPolicy::kLocal) << "what the file says of it is ignored";
  ASSERT_EQ(config->cluster.services.size(), 1u);
  const absl::StatusOr<Config> whole = ParseConfig(kFile, "n1.toml");
  ASSERT_TRUE(whole.ok()) << whole.status();
  EXPECT_EQ(config->cluster.services, whole->cluster.services);
  EXPECT_EQ(config->cluster.gateways, whole->cluster.gateways);
}

TEST(SharedPartTest, ErrorsNameTheLineOfTheSharedText) {
  std::string shared = Shared(kFile);
  shared.replace(shared.find("\"80\""), 4, "\"eighty\"");
  const absl::Status error = WithShared(kFile, shared).status();
  const clusterconfig::Finding finding = FindingOf(error);
  EXPECT_EQ(finding.where, absl::StrCat("config:", LineOf(kFile, "ports = "), ": cluster.service.ports"));
  EXPECT_THAT(finding.reason, HasSubstr("eighty"));
  EXPECT_THAT(finding.remedy, HasSubstr("80"));
}

TEST(SharedPartTest, ErrorsNameNoLineOfTheNodesFile) {
  constexpr std::string_view kGood = "198.51.100.50/24";
  const std::pair<std::string_view, std::string_view> cases[] = {
      {"198.51.100.50/16", "198.51.100.50/24"}, {"198.51.100.50/25", "198.51.100.50/24"}, {"198.51.100.7/24", "once"}};
  for (const auto& [bad, remedy] : cases) {
    std::string shared = Shared(kFile);
    shared.replace(shared.find(kGood), kGood.size(), bad);
    const clusterconfig::Finding finding = FindingOf(WithShared(kFile, shared).status());
    EXPECT_EQ(finding.where, absl::StrCat("config:", LineOf(kFile, "address = \"198"), ": cluster.address.address"));
    EXPECT_THAT(finding.reason, HasSubstr("node.addresses of this node's own file"));
    EXPECT_THAT(finding.remedy, HasSubstr(std::string(remedy)));
  }
  std::string shared = Shared(kFile);
  shared.replace(shared.find("198.51.100.1\""), 12, "198.51.100.7");
  const clusterconfig::Finding finding = FindingOf(WithShared(kFile, shared).status());
  EXPECT_EQ(finding.where, absl::StrCat("config:", LineOf(kFile, "gateway = "), ": cluster.gateway"));
  EXPECT_THAT(finding.reason, HasSubstr("own file"));
}

TEST(SharedPartTest, WhatIsANodesOwnIsRefusedInTheSharedText) {
  EXPECT_FALSE(WithShared(kFile, Shared(kFile) + "[node]\nname = \"n9\"\n").ok());
  EXPECT_FALSE(WithShared(kFile, "[cluster]\nname = \"other\"\n").ok());
}

TEST(SharedPartTest, AFileNeedNotSayWhatIsServedIfTheNodeGetsThatFromOthers) {
  const std::string node = "[node.lan]\nport = \"af_packet:eth0\"\n[cluster]\nname = \"home\"\n";
  EXPECT_TRUE(ParseConfig(node + "join = \"any\"\n", "n").ok());
  EXPECT_FALSE(ParseConfig(node, "n").ok());
  EXPECT_FALSE(ParseConfig(node + "join = \"any\"\ndefault = \"drop\"\n", "n").ok()) << "it says some of it";
}

constexpr char kBare[] = "[node.lan]\nport = \"af_packet:eth0\"\nmode = \"shared\"\n[cluster]\njoin = \"any\"\n";
const JoinedCluster kHome = {.name = "home", .port = 7000, .group = {{239, 1, 2, 3}}, .first = ""};

TEST(SharedPartTest, WhatAFileLeavesOpenIsTheClustersThatTookTheNodeIn) {
  const absl::StatusOr<Config> bare = ParseConfig(kBare, "bare");
  ASSERT_TRUE(bare.ok()) << bare.status();
  EXPECT_TRUE(bare->cluster.network.join->any_name);

  const absl::StatusOr<Config> joined = ParseConfig(kBare, "bare", {.joined = kHome, .shared = nullptr});
  ASSERT_TRUE(joined.ok()) << joined.status();
  EXPECT_EQ(joined->cluster.name, "home");
  EXPECT_EQ(joined->cluster.network.port, 7000);
  EXPECT_EQ(joined->cluster.network.group, kHome.group);

  const std::string own = std::string(kBare) + "name = \"mine\"\nport = 7001\ngroup = \"239.3.3.3\"\n";
  const absl::StatusOr<Config> named = ParseConfig(own, "own", {.joined = kHome, .shared = nullptr});
  ASSERT_TRUE(named.ok()) << named.status();
  EXPECT_FALSE(named->cluster.network.join->any_name);
  EXPECT_EQ(named->cluster.name, "mine");
  EXPECT_EQ(named->cluster.network.port, 7001);
  EXPECT_EQ(named->cluster.network.group, (Ipv4Address{{239, 3, 3, 3}}));
}

TEST(SharedPartTest, ATokenSaysWhichClusterItIs) {
  const admission::Token token = admission::MakeToken({1, 2}, {3}, {4});
  const std::string own = "[node.lan]\nport = \"af_packet:eth0\"\n[cluster]\njoin = \"" + ToText(token) + "\"\n";
  const absl::StatusOr<Config> config = ParseConfig(own, "own");
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ(config->cluster.network.join->token, token);
  EXPECT_TRUE(config->cluster.network.join->any_name);
}

// Otherwise nodes with and without a file would seem to differ.
TEST(SharedPartTest, AGroupThatFollowsFromTheNameIsNotStated) {
  JoinedCluster usual = kHome;
  usual.group = GroupFor(ClusterIdFromName("home"));
  const absl::StatusOr<Config> joined = ParseConfig(kBare, "bare", {.joined = usual, .shared = nullptr});
  ASSERT_TRUE(joined.ok()) << joined.status();
  EXPECT_EQ(joined->cluster.network.group, std::nullopt);
}

TEST(SharedPartTest, WhatAClusterWasBegunWithCountsUntilItHasAConfiguration) {
  JoinedCluster begun = kHome;
  begun.first = "[cluster]\n[[cluster.address]]\naddress = \"198.51.100.50/24\"\n";
  const absl::StatusOr<Config> first = ParseConfig(kBare, "bare", {.joined = begun, .shared = nullptr});
  ASSERT_TRUE(first.ok()) << first.status();
  ASSERT_EQ(first->cluster.addresses.size(), 1u);
  EXPECT_EQ(first->cluster.default_policy, DefaultPolicy::kLocal);

  const auto changed = std::make_shared<const std::string>(
      "[cluster]\ndefault = \"drop\"\n[[cluster.address]]\naddress = \"198.51.100.50/24\"\n");
  const absl::StatusOr<Config> next = ParseConfig(kBare, "bare", {.joined = begun, .shared = changed});
  ASSERT_TRUE(next.ok()) << next.status();
  EXPECT_EQ(next->cluster.default_policy, DefaultPolicy::kDrop);

  begun.first = "[cluster]\n[[cluster.address]]\naddress = \"198.51.100.50\"\n";
  const absl::Status error = ParseConfig(kBare, "bare", {.joined = begun, .shared = nullptr}).status();
  EXPECT_THAT(std::string(error.message()), HasSubstr("config:3: cluster.address.address"));
}

TEST(SharedPartTest, AnyErrorIsAFinding) {
  const clusterconfig::Finding finding =
      FindingOf(absl::FailedPreconditionError("node.weight: cannot change; restart"));
  EXPECT_EQ(finding.where, "node.weight");
  EXPECT_EQ(finding.reason, "cannot change");
  EXPECT_EQ(finding.remedy, "restart");
  EXPECT_EQ(FindingOf(absl::InternalError("a\nb")).reason, "a");
  EXPECT_EQ(FindingOf(absl::InternalError("no node leads now: try again")).where, "");
  EXPECT_EQ(FindingOf(absl::InternalError("/etc/qure: cannot be read; see: no")).where, "/etc/qure");
  EXPECT_EQ(FindingOf(absl::InternalError("/my files/a.toml:3: syntax: no; yes")).where, "/my files/a.toml:3: syntax");
}

TEST(SharedPartTest, NothingAndTooMuchAreRefused) {
  for (const char* const empty : {"", "\n# nothing\n", "[node]\nname = \"n1\"\n", "[cluster]\nname = \"home\"\n"}) {
    const clusterconfig::Finding finding = FindingOf(SharedPart(empty, "n1.toml").status());
    EXPECT_EQ(finding.where, "n1.toml:1: cluster.address") << empty;
    EXPECT_THAT(finding.remedy, HasSubstr("[[cluster.address]]"));
  }
  const std::string padding(admission::kMaxConfigBody, '#');
  const clusterconfig::Finding finding = FindingOf(SharedPart(kFile + padding, "n1.toml").status());
  EXPECT_EQ(finding.where, "n1.toml:1: cluster");
  EXPECT_THAT(finding.remedy, HasSubstr(absl::StrCat(admission::kMaxConfigBody)));
}

TEST(SharedPartTest, WhatIsANodesOwnIsCheckedThoughItIsLeftOut) {
  EXPECT_TRUE(CheckOwnKeys(kFile, "n1.toml").ok());
  EXPECT_TRUE(CheckOwnKeys("[[cluster.address]]\naddress = \"198.51.100.50/24\"\n", "n1.toml").ok());
  const std::pair<const char*, const char*> cases[] = {{"port = 0", "cluster.port"},
                                                       {"group = \"10.0.0.1\"", "cluster.group"},
                                                       {"key = \"00\"", "cluster.key"},
                                                       {"join = \"me\"", "cluster.join"},
                                                       {"security = \"none\"", "cluster.security"},
                                                       {"name = \"a b\"", "cluster.name"}};
  for (const auto& [line, key] : cases) {
    const absl::Status error = CheckOwnKeys(absl::StrCat("[cluster]\n", line, "\n"), "n1.toml");
    EXPECT_EQ(FindingOf(error).where, absl::StrCat("n1.toml:2: ", key));
    EXPECT_NE(FindingOf(error).remedy, "");
  }
}

}  // namespace
}  // namespace qure
