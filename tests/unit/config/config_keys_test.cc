// The table of keys against all that has to know each of them: the reader, `config show`, the documentation.
#include "control/config/config_keys.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <string>
#include <string_view>

#include "control/config/config_file.h"
#include "control/config/config_json.h"
#include "tests/support/temporary_directory.h"
#include "toml++/toml.h"

namespace qure {
namespace {

using nlohmann::ordered_json;
using testing::Contains;
using testing::IsSubsetOf;
using testing::UnorderedElementsAreArray;

// Together they have every key: those of a zone file and those of a zone without one exclude each other, as do key and
// join.
constexpr std::string_view kAllButAZoneFile = R"(
[node]
name = "n1"
data_directory = "/d"
control_socket = "/s"
metrics = ""
log_level = "debug"
priority = 1
weight = 2
addresses = ["198.51.100.11/24"]
[node.lan]
port = "af_packet:eth0"
mode = "dedicated"
take_over = true
vlan = 7
host_interface = "service0"
[node.dpdk]
workers = 1
cores = [1]
huge_pages = true
memory_mib = 64
flows = 2048
file_prefix = "prefix"
[cluster]
name = "home"
gateway = ["198.51.100.1"]
gateway_required = true
service_mac = "derived"
default = "drop"
probe_interval = "1s"
security = "sealed"
key = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"
port = 4000
group = "239.1.2.3"
preempt = true
auto_admit = "copies"
[[cluster.address]]
address = "198.51.100.50/24"
alternatives = ["198.51.100.51/24"]
[[cluster.service]]
name = "web"
protocol = "tcp"
ports = "80-81"
address = "198.51.100.50"
affinity = "adaptive"
return = "master"
delivery = "multicast"
mdns = "_http._tcp"
txt = ["path=/"]
weights = { n1 = 3 }
[cluster.service.check]
type = "http"
port = 8080
path = "/up"
status = 204
interval = "2s"
timeout = "1s"
rise = 3
reach = false
fall = 4
[cluster.balance]
table_size = 257
heavy_hitter = 9
drain_deadline = "90s"
[[cluster.zone]]
name = "a.example"
ns = ["ns.a.example"]
ttl = 30
primary = "first.a.example"
contact = "me.a.example"
serial = 5
refresh = 6
retry = 7
expire = 8
minimum = 9
[[cluster.zone.record]]
name = "www"
type = "CLUSTER"
value = "healthy web"
ttl = 3
order = "sorted"
[cluster.dns]
local_names = true
rate_limit = 10
slip = 3
log_every = 4
[cluster.resolver]
upstreams = ["192.0.2.53"]
forward = true
clients = ["198.51.100.0/24"]
cache_entries = 11
stale = "10s"
timeout = "2s"
[cluster.mdns]
enabled = false
[cluster.registration]
enabled = true
server = "192.0.2.53"
zone = "example"
name = "home1"
shared = "clusters"
ttl = 61
refresh = "20s"
public = "echo"
echo = ["198.51.100.7"]
echo_name = "me.example"
)";
constexpr std::string_view kZoneFile = R"(
[node]
name = "n1"
[node.lan]
port = "af_packet:eth0"
[cluster]
join = "any"
[[cluster.address]]
address = "198.51.100.50/24"
[[cluster.zone]]
name = "b.example"
)";

using Paths = std::set<std::string>;

Paths TablePaths() {
  Paths paths;
  for (const ConfigKey& key : ConfigKeys()) paths.emplace(key.path);
  return paths;
}

// As the table has it: names of nodes are any.
std::string Normal(const std::string& path) {
  constexpr std::string_view kWeights = "cluster.service.weights.";
  return path.starts_with(kWeights) ? std::string(kWeights) + "*" : path;
}

std::string Below(const std::string& path, std::string_view key) {
  return path.empty() ? std::string(key) : path + "." + std::string(key);
}

void AddPaths(const toml::node& node, const std::string& path, Paths* out) {
  if (const toml::table* table = node.as_table()) {
    for (const auto& [key, value] : *table) AddPaths(value, Below(path, key.str()), out);
  } else if (node.is_array_of_tables()) {
    for (const toml::node& value : *node.as_array()) AddPaths(value, path, out);
  } else {
    out->insert(Normal(path));
  }
}

Paths PathsOf(std::string_view toml) {
  Paths paths;
  AddPaths(toml::parse(toml), "", &paths);
  return paths;
}

// What is set: neither null nor an empty list.
void AddPaths(const ordered_json& json, const std::string& path, Paths* out) {
  if (json.is_object()) {
    for (const auto& [key, value] : json.items()) AddPaths(value, Below(path, key), out);
  } else if (json.is_array() && !json.empty() && json[0].is_object()) {
    for (const ordered_json& value : json) AddPaths(value, path, out);
  } else if (!json.is_null() && !json.empty()) {
    out->insert(Normal(path));
  }
}

class ConfigKeysTest : public testing::Test {
 protected:
  ConfigKeysTest() {
    std::ofstream(directory_ / "tsig.key") << "hmac-sha256:home1:c2VjcmV0\n";
    std::ofstream(directory_ / "b.zone") << "@ SOA ns hostmaster 17 2 3 4 5\n@ NS ns\n";
    const auto quoted = [&](const char* name) { return "\"" + (directory_ / name) + "\"\n"; };
    files_ = {std::string(kAllButAZoneFile) + "key_file = " + quoted("tsig.key"),
              std::string(kZoneFile) + "file = " + quoted("b.zone")};
  }

  TemporaryDirectory directory_;
  std::vector<std::string> files_;
};

TEST_F(ConfigKeysTest, TheReaderKnowsEveryKey) {
  Paths set;
  for (const std::string& file : files_) {
    set.merge(PathsOf(file));
    EXPECT_TRUE(ParseConfig(file, "test.toml").ok()) << ParseConfig(file, "test.toml").status();
  }
  EXPECT_THAT(set, UnorderedElementsAreArray(TablePaths()));
}

TEST_F(ConfigKeysTest, EveryKeyIsShown) {
  Paths shown;
  for (const std::string& file : files_) {
    const absl::StatusOr<Config> config = ParseConfig(file, "test.toml");
    ASSERT_TRUE(config.ok()) << config.status();
    Paths paths;
    AddPaths(ConfigJson(*config), "", &paths);
    Paths set = PathsOf(file);
    set.erase("node.metrics");  // empty
    EXPECT_THAT(set, IsSubsetOf(paths));
    shown.merge(paths);
  }
  shown.insert("node.metrics");
  EXPECT_THAT(shown, UnorderedElementsAreArray(TablePaths()));
}

TEST(ConfigPathTest, KnowsKeysSectionsAndNamesOfNodes) {
  for (const char* path : {"node", "cluster.service", "cluster.service.weights", "cluster.service.weights.n1",
                           "cluster.service.weights.!", "node.lan.port"}) {
    EXPECT_TRUE(IsConfigPath(path)) << path;
  }
  for (const char* path : {"nod", "cluster.service.weight", "node.lan.port.x", "node.lan.ports", "cluster.zzz"}) {
    EXPECT_FALSE(IsConfigPath(path)) << path;
  }
}

// The reference: a section for each heading, a key for each row of a table whose first column is "key".
struct Reference {
  std::map<std::string, bool> fixed;  // by path: whether a reload cannot change it
};

std::string SectionOf(std::string_view heading) {
  heading.remove_prefix(std::min(heading.find_first_not_of("# "), heading.size()));
  if (heading == "check of a service") return "cluster.service.check";
  const size_t begin = heading.find_first_not_of('[');
  if (begin == 0 || begin == heading.npos) return "";
  return std::string(heading.substr(begin, heading.find(']') - begin));
}

Reference ReadReference(std::istream* file) {
  Reference reference;
  std::string section;
  bool of_keys = false;
  for (std::string line; std::getline(*file, line);) {
    if (line.starts_with('#')) section = SectionOf(line);
    if (!line.starts_with('|')) of_keys = false;
    if (line.starts_with("| key |")) of_keys = true;
    if (!of_keys || !line.starts_with("| `")) continue;
    const std::string key = Below(section, line.substr(3, line.find('`', 3) - 3));
    const std::string last = line.substr(line.rfind('|', line.size() - 2));
    reference.fixed[key] = last.starts_with("| no");
  }
  return reference;
}

TEST(ConfigReferenceTest, HasEveryKeyAndNoOther) {
  std::ifstream file(CONFIGURATION_REFERENCE);
  if (!file) GTEST_SKIP() << CONFIGURATION_REFERENCE << " does not exist yet";
  const Reference reference = ReadReference(&file);
  for (const ConfigKey& key : ConfigKeys()) {
    const std::string path(key.path.substr(0, key.path.find(".*")));
    ASSERT_TRUE(reference.fixed.contains(path)) << path;
    EXPECT_EQ(reference.fixed.at(path), key.same != nullptr) << path;
  }
  for (const auto& [path, fixed] : reference.fixed) EXPECT_TRUE(IsConfigPath(path)) << path;
}

// Also those that are commented out.
TEST(ConfigExampleTest, HasNoUnknownKey) {
  std::ifstream file(EXAMPLE_CONFIG);
  std::string text;
  for (std::string line; std::getline(file, line);) {
    const bool key = line.find(" = ") != line.npos && line.find(" = ") == line.find_first_of(" .", 2);
    if (line.starts_with("# ") && (key || line.starts_with("# ["))) line = line.substr(2);
    text += line + "\n";
  }
  const Paths paths = PathsOf(text);
  EXPECT_THAT(paths, Contains("cluster.registration.echo_name"));
  EXPECT_THAT(paths, IsSubsetOf(TablePaths()));
}

}  // namespace
}  // namespace qure
