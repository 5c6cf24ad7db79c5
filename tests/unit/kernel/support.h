// What the tests of the kernel's side share: a network namespace of the test's own, with a veth pair that stands for
// the host port and one for the LAN, and what `ip` says of them.
#pragma once

#include <gtest/gtest.h>
#include <sched.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <string>
#include <string_view>
#include <vector>

#include "control/base/text.h"
#include "nlohmann/json.hpp"
#include "proto/net/address.h"
#include "tests/support/temporary_directory.h"

namespace qure::testing {

using nlohmann::json;

inline IpPrefix Prefix(std::string_view text) {
  return ParsePrefix(text).value();
}
inline IpAddress Ip(std::string_view text) {
  return ParseIp(text).value();
}

inline std::string Output(const std::string& command) {
  FILE* pipe = popen(command.c_str(), "r");
  if (pipe == nullptr) return "";
  std::string output;
  char chunk[4096];
  for (size_t length; (length = fread(chunk, 1, sizeof(chunk), pipe)) > 0;) output.append(chunk, length);
  EXPECT_EQ(pclose(pipe), 0) << command;
  return output;
}

inline json IpJson(const std::string& arguments) {
  const std::string output = Output("ip -j " + arguments);
  return output.empty() ? json::array() : json::parse(output);
}

inline json AddressInfos(const std::string& interface) {
  return IpJson("addr show dev " + interface).at(0).at("addr_info");
}

// "ADDRESS/LENGTH" of all addresses of `interface` but IPv6 link-local ones.
inline std::vector<std::string> Addresses(const std::string& interface) {
  std::vector<std::string> result;
  for (const json& info : AddressInfos(interface)) {
    if (info.at("scope") == "link") continue;
    result.push_back(info.at("local").get<std::string>() + "/" + std::to_string(info.at("prefixlen").get<int>()));
  }
  return result;
}

inline json AddressInfo(const std::string& address) {
  for (const json& info : AddressInfos("qure0")) {
    if (info.at("local") == address) return info;
  }
  ADD_FAILURE() << address << " is not there";
  return json::object();
}

// "from SOURCE lookup TABLE priority PRIORITY" of the rules with the protocol number of qured.
inline std::vector<std::string> Rules(const std::string& family) {
  std::vector<std::string> result;
  for (const json& rule : IpJson("-N " + family + " rule show")) {
    if (rule.value("protocol", "") != "81") continue;
    result.push_back("from " + rule.at("src").get<std::string>() + " lookup " + rule.at("table").get<std::string>() +
                     " priority " + std::to_string(rule.at("priority").get<int>()));
  }
  return result;
}

// "DESTINATION [via GATEWAY] [src SOURCE] dev DEVICE" of the routes with the protocol number of qured in a table.
inline std::vector<std::string> Routes(const std::string& family, const std::string& table) {
  std::vector<std::string> result;
  for (const json& route :
       IpJson(Concat("-N ", family, " route show proto 81 table ", table, " 2>/dev/null || true"))) {
    std::string text = route.at("dst").get<std::string>();
    if (route.contains("gateway")) text += " via " + route.at("gateway").get<std::string>();
    if (route.contains("prefsrc")) text += " src " + route.at("prefsrc").get<std::string>();
    result.push_back(text + " dev " + route.at("dev").get<std::string>());
  }
  return result;
}

inline std::string Value(const std::string& path) {
  std::ifstream file("/proc/sys/net/" + path);
  std::string value;
  std::getline(file, value);
  return value;
}

inline bool HasFlag(const std::string& interface, const std::string& flag) {
  const json flags = IpJson("link show dev " + interface).at(0).at("flags");
  return std::find(flags.begin(), flags.end(), flag) != flags.end();
}

class NamespaceTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (unshare(CLONE_NEWNET) != 0) GTEST_SKIP() << "no network namespace of its own: " << std::strerror(errno);
    Run("ip link set lo up");
    Run("ip link add qure0 type veth peer name far0");
    Run("ip link set far0 up");
    Run("ip link add lan0 type veth peer name wire0");
    Run("ip link set wire0 up");
    Run("ip link set lan0 up");
  }

  static void Run(const std::string& command) { ASSERT_EQ(std::system(command.c_str()), 0) << command; }

  const TemporaryDirectory data_;
};

}  // namespace qure::testing
