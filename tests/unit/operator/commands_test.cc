#include "control/operator/commands.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "control/config/cluster_key.h"
#include "tests/support/sample_node.h"

namespace qure {
namespace {

using nlohmann::json;
using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

constexpr char kDigits[] = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";

class CommandsTest : public testing::Test {
 protected:
  // As it comes in: numbers without a sign are unsigned then.
  std::optional<absl::StatusOr<Command>> Receive(const json& request) const {
    const std::optional<RequestKind> kind = RequestKindOf(request.at("command").get<std::string>());
    if (!kind) return std::nullopt;
    return ReadCommand(*kind, json::parse(request.dump()), status_);
  }
  // The command, which must be one and sound.
  template <typename T>
  T Read(const json& request) {
    const auto command = Receive(request);
    if (!command || !command->ok() || !std::holds_alternative<T>(**command)) {
      ADD_FAILURE() << request << (command ? command->status() : absl::UnknownError("no command"));
      return {};
    }
    return std::get<T>(**command);
  }
  std::string Error(const json& request) {
    const auto command = Receive(request);
    if (!command || command->ok()) {
      ADD_FAILURE() << request;
      return "";
    }
    return std::string(command->status().message());
  }

  ControllerStatus status_ = SampleMaster().controller;
};

TEST_F(CommandsTest, Maintenance) {
  EXPECT_TRUE(Read<SetMaintenance>({{"command", "maintenance"}, {"on", true}}).on);
  EXPECT_FALSE(Read<SetMaintenance>({{"command", "maintenance"}, {"on", false}}).on);
  EXPECT_THAT(Error({{"command", "maintenance"}}), HasSubstr("on or off"));
  EXPECT_THAT(Error({{"command", "maintenance"}, {"on", 1}}), HasSubstr("on or off"));
}

TEST_F(CommandsTest, Invite) {
  const auto usual = Read<OpenToken>({{"command", "invite"}, {"action", "open"}});
  EXPECT_EQ(usual.uses, 1u);
  EXPECT_EQ(usual.lifetime, Seconds(24 * 3600));
  EXPECT_NE(usual.id, Read<OpenToken>({{"command", "invite"}, {"action", "open"}}).id);
  const auto stated = Read<OpenToken>({{"command", "invite"}, {"action", "open"}, {"uses", 3}, {"lifetime", 60}});
  EXPECT_EQ(stated.uses, 3u);
  EXPECT_EQ(stated.lifetime, Seconds(60));
  EXPECT_THAT(Error({{"command", "invite"}, {"action", "open"}, {"uses", 0}}), HasSubstr("1 to 1000 nodes"));
  EXPECT_THAT(Error({{"command", "invite"}, {"action", "open"}, {"lifetime", 2'592'001}}), HasSubstr("30 days"));
  EXPECT_EQ(Read<CloseToken>({{"command", "invite"}, {"action", "close"}, {"token", "03000000000000ff"}}).id,
            (admission::TokenId{3, 0, 0, 0, 0, 0, 0, 255}));
  for (const char* bad : {"", "03", "03000000000000fg", "03000000000000ff00"}) {
    EXPECT_THAT(Error({{"command", "invite"}, {"action", "close"}, {"token", bad}}), HasSubstr("invite list"));
  }
  EXPECT_FALSE(Receive({{"command", "invite"}, {"action", "list"}}));
}

TEST_F(CommandsTest, AdmitOneOrAll) {
  EXPECT_EQ(Read<AdmitNode>({{"command", "admit"}, {"code", "X"}}).code, "X");
  EXPECT_EQ(Read<AdmitAll>({{"command", "admit"}, {"all", true}}).lifetime, admission::kAdmitAll);
  EXPECT_EQ(Read<AdmitAll>({{"command", "admit"}, {"all", true}, {"lifetime", 0}}).lifetime, Duration{});
  EXPECT_THAT(Error({{"command", "admit"}}), HasSubstr("--all"));
  EXPECT_THAT(Error({{"command", "admit"}, {"all", true}, {"code", "X"}}), HasSubstr("--all"));
  EXPECT_THAT(Error({{"command", "admit"}, {"code", "X"}, {"lifetime", 60}}), HasSubstr("--for"));
  EXPECT_THAT(Error({{"command", "admit"}, {"all", true}, {"lifetime", 90'000}}), HasSubstr("24 h"));
}

TEST_F(CommandsTest, Leave) {
  EXPECT_FALSE(Read<LeaveCluster>({{"command", "leave"}}).last);
  EXPECT_TRUE(Read<LeaveCluster>({{"command", "leave"}, {"last", true}}).last);
}

TEST_F(CommandsTest, Revoke) {
  const admission::RecoveryCode code = {7};
  status_.roll.nodes = {{.identity = {1}, .node = kSampleSelf, .name = ""},
                        {.identity = {2}, .node = kSampleDeputy, .name = "n2"},
                        {.identity = {3}, .node = {0x55, 0x66}, .name = ""},
                        {.identity = {4}, .node = {0x55, 0x77}, .name = "n2"}};
  const auto revoke = [&](const std::string& node) {
    return json{{"command", "revoke"}, {"node", node}, {"code", admission::ToText(code)}};
  };
  const auto revoked = [&](const std::string& node) { return Read<RevokeNodes>(revoke(node)).nodes; };
  EXPECT_EQ(Read<RevokeNodes>(revoke("n1")).code, code);
  EXPECT_EQ(revoked("n1"), (std::set<admission::Fingerprint>{{1}})) << "the founder, by the name that it says";
  EXPECT_EQ(revoked("5566"), (std::set<admission::Fingerprint>{{3}})) << "by its id, though it is not there";
  EXPECT_EQ(revoked(admission::CodeOf({4})), (std::set<admission::Fingerprint>{{4}}));
  EXPECT_THAT(Error(revoke("n2")), HasSubstr("more than one"));
  EXPECT_THAT(Error(revoke("55")), HasSubstr("no node"));
  EXPECT_THAT(Error(revoke("")), HasSubstr("fingerprint")) << "not the one whose name is not known";
  EXPECT_THAT(Error({{"command", "revoke"}, {"node", "n1"}, {"code", "0000"}}), HasSubstr("4 digits"));
}

TEST_F(CommandsTest, Handover) {
  EXPECT_EQ(Read<HandOver>({{"command", "handover"}}).successor, std::nullopt);
  EXPECT_EQ(Read<HandOver>({{"command", "handover"}, {"node", "n2"}}).successor, kSampleDeputy);
  EXPECT_THAT(Error({{"command", "handover"}, {"node", "n9"}}), HasSubstr("no node \"n9\""));
  EXPECT_THAT(Error({{"command", "handover"}, {"node", 2}}), HasSubstr("name"));
}

TEST_F(CommandsTest, Draining) {
  const auto here = Read<SetDraining>({{"command", "drain"}, {"on", true}});
  EXPECT_EQ(here.node, status_.node_id);
  EXPECT_TRUE(here.on);
  EXPECT_EQ(Read<SetDraining>({{"command", "drain"}, {"on", false}, {"node", "n2"}}).node, kSampleDeputy);
  EXPECT_THAT(Error({{"command", "drain"}}), HasSubstr("true or false"));
  EXPECT_THAT(Error({{"command", "drain"}, {"on", true}, {"node", "n9"}}), HasSubstr("no node \"n9\""));
}

TEST_F(CommandsTest, DrainDeadline) {
  const json drain = {{"command", "drain"}, {"on", true}};
  const auto with = [&](const json& deadline, bool on = true) {
    json request = drain;
    request["on"] = on;
    request["deadline"] = deadline;
    return request;
  };
  EXPECT_EQ(Read<SetDraining>(drain).deadline, std::nullopt);
  EXPECT_EQ(Read<SetDraining>(with(90)).deadline, Seconds(90));
  EXPECT_EQ(Read<SetDraining>(with(nullptr)).deadline, Duration{});
  for (const json& wrong : {json(0), json(604801), json(-1), json("90"), json(1.5)}) {
    EXPECT_THAT(Error(with(wrong)), AllOf(HasSubstr("deadline"), HasSubstr("1 to 604800"))) << wrong;
  }
  EXPECT_THAT(Error(with(90, false)), HasSubstr("deadline")) << "an undrain has none";
}

TEST_F(CommandsTest, Weight) {
  const auto weight = Read<SetWeight>({{"command", "weight"}, {"node", "n2"}, {"service", "web"}, {"weight", 3}});
  EXPECT_EQ(weight.node, kSampleDeputy);
  EXPECT_EQ(weight.service, "web");
  EXPECT_EQ(weight.weight, 3u);
  EXPECT_EQ(Read<SetWeight>({{"command", "weight"}, {"node", "n2"}, {"service", "web"}}).weight, std::nullopt);
  EXPECT_THAT(Error({{"command", "weight"}, {"node", "n2"}, {"service", "web"}, {"weight", 256}}),
              HasSubstr("0 to 255"));
  EXPECT_THAT(Error({{"command", "weight"}, {"node", "n2"}, {"weight", 1}}), HasSubstr("service"));
}

TEST_F(CommandsTest, Keys) {
  const AddKey add = Read<AddKey>({{"command", "key"}, {"action", "add"}, {"id", 2}, {"key", kDigits}});
  EXPECT_EQ(add.id, 2u);
  EXPECT_EQ(ClusterKeyText(add.key), kDigits);
  EXPECT_EQ(Read<UseKey>({{"command", "key"}, {"action", "use"}, {"id", 2}}).id, 2u);
  EXPECT_EQ(Read<RemoveKey>({{"command", "key"}, {"action", "remove"}, {"id", 4294967295}}).id, 4294967295u);
}

TEST_F(CommandsTest, InvalidKeysAreRefusedWithoutShowingThem) {
  const std::string nearly = std::string(kDigits, 63) + "x";
  EXPECT_THAT(Error({{"command", "key"}, {"action", "add"}, {"id", 2}, {"key", nearly}}),
              AllOf(HasSubstr("64 hexadecimal digits"), Not(HasSubstr("0102"))));
  EXPECT_THAT(Error({{"command", "key"}, {"action", "add"}, {"id", 2}}), HasSubstr("64 hexadecimal digits"));
  EXPECT_THAT(Error({{"command", "key"}, {"action", "add"}, {"id", 2}, {"key", 7}}), HasSubstr("64 hexadecimal"));
  for (const json& id : {json(0), json(-1), json(4294967296), json("2"), json(nullptr), json(1.5)}) {
    EXPECT_THAT(Error({{"command", "key"}, {"action", "use"}, {"id", id}}), HasSubstr("1 to 4294967295")) << id;
  }
  EXPECT_THAT(Error({{"command", "key"}, {"action", "forge"}, {"id", 1}}), HasSubstr("add, use, remove or list"));
  EXPECT_THAT(Error({{"command", "key"}}), HasSubstr("add, use, remove or list"));
}

TEST_F(CommandsTest, FoundsAndEnrols) {
  const json found{{"command", "cluster"}, {"action", "found"}};
  EXPECT_NE(Read<FoundCluster>(found).code, Read<FoundCluster>(found).code) << "drawn each time";
  Read<EnrolMembers>({{"command", "cluster"}, {"action", "enrol"}});
  EXPECT_THAT(Error({{"command", "cluster"}}), HasSubstr("found, enrol or show"));
  EXPECT_THAT(Error({{"command", "cluster"}, {"action", "lose"}}), HasSubstr("found, enrol or show"));
}

TEST_F(CommandsTest, QuestionsAreNoCommands) {
  for (const json& request : {json{{"command", "status"}}, json{{"command", "key"}, {"action", "list"}},
                              json{{"command", "cluster"}, {"action", "show"}}}) {
    EXPECT_FALSE(Receive(request).has_value()) << request;
  }
}

TEST_F(CommandsTest, FindsNodesByNameOrPrefix) {
  EXPECT_EQ(FindNode("n1", status_).value(), kSampleSelf);
  EXPECT_EQ(FindNode("abcd", status_).value(), kSampleSelf);
  EXPECT_EQ(FindNode("ab1", status_).value(), kSampleDeputy);
  EXPECT_EQ(FindNode(ToHex(kSampleDown), status_).value(), kSampleDown);
  EXPECT_EQ(FindNode("", status_).status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(FindNode("n", status_).status().code(), absl::StatusCode::kNotFound);
  const absl::Status both = FindNode("ab", status_).status();
  EXPECT_EQ(both.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(both.message()), AllOf(HasSubstr(ToHex(kSampleSelf)), HasSubstr(ToHex(kSampleDeputy))));
}

TEST_F(CommandsTest, ANameGoesBeforeAPrefix) {
  status_.nodes[2].name = "ab";
  EXPECT_EQ(FindNode("ab", status_).value(), kSampleDown);
  status_.nodes[1].name = "ab";
  status_.nodes[2].state = NodeState::kAlive;
  EXPECT_EQ(FindNode("ab", status_).status().code(), absl::StatusCode::kInvalidArgument);
}

// n3 was replaced: the new machine has its name, the old one is still listed.
class FieldD8 : public CommandsTest {
 protected:
  FieldD8() { status_.nodes.push_back(SampleRow(kNew, "n3", NodeRole::kMember, NodeState::kAlive)); }
  static constexpr NodeId kNew{0x55};
};

TEST_F(FieldD8, ANameMeansTheNodeThatIsPresent) {
  EXPECT_EQ(FindNode("n3", status_).value(), kNew);
  EXPECT_EQ(Read<SetDraining>({{"command", "drain"}, {"on", true}, {"node", "n3"}}).node, kNew);
  EXPECT_EQ(Read<HandOver>({{"command", "handover"}, {"node", "n3"}}).successor, kNew);
  status_.nodes.back().state = NodeState::kSuspect;
  EXPECT_EQ(FindNode("n3", status_).value(), kNew);
}

TEST_F(FieldD8, OfTwoThatAreGoneNeitherIsMeant) {
  status_.nodes.back().state = NodeState::kLeft;
  const absl::Status status = FindNode("n3", status_).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), AllOf(HasSubstr("left"), HasSubstr("down")));
}

TEST_F(FieldD8, ForgetMeansTheNodeThatIsGone) {
  EXPECT_EQ(Read<ForgetNode>({{"command", "forget"}, {"node", "n3"}}).node, kSampleDown);
  EXPECT_EQ(Read<ForgetNode>({{"command", "forget"}, {"node", "n2"}}).node, kSampleDeputy) << "the core refuses it";
  EXPECT_THAT(Error({{"command", "forget"}}), HasSubstr("name"));
}

}  // namespace
}  // namespace qure
