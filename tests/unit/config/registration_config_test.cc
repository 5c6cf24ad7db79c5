// [cluster.registration] and key files.
#include "control/config/registration_config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fstream>

#include "control/config/config_file.h"
#include "control/config/config_json.h"
#include "control/config/tsig_key_file.h"
#include "proto/dns/name.h"
#include "tests/support/temporary_directory.h"

namespace qure {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

constexpr char kSecret[] = "c2VjcmV0IG9mIGEgY2x1c3Rlcg==";
constexpr char kHead[] =
    "[node]\nname = \"n1\"\n[node.lan]\nport = \"af_packet:eth0\"\n"
    "[[cluster.address]]\naddress = \"198.51.100.50/24\"\n[cluster.registration]\n";
constexpr char kLine[] = "hmac-sha256:home1:c2VjcmV0IG9mIGEgY2x1c3Rlcg==\n";

std::string Wire(std::string_view name) {
  return DnsNameToWire(name).value();
}

class RegistrationConfigTest : public ::testing::Test {
 protected:
  RegistrationConfigTest() {
    std::ofstream(path_) << kLine;
    chmod(path_.c_str(), 0600);
  }
  absl::StatusOr<Config> Parse(const std::string& text) const {
    return ParseConfig(kHead + text + "key_file = \"" + path_ + "\"\n", "test.toml");
  }
  RegistrationConfig Read(const std::string& text) const {
    const absl::StatusOr<Config> config = Parse(text);
    EXPECT_TRUE(config.ok()) << config.status();
    return config.ok() ? config->cluster.registration.value_or(RegistrationConfig{}) : RegistrationConfig{};
  }
  std::string Error(const std::string& text) const { return std::string(Parse(text).status().message()); }

  TemporaryDirectory directory_;
  std::string path_ = directory_ / "tsig.key";
};

constexpr char kLeast[] = "server = \"192.0.2.53\"\nzone = \"example\"\nname = \"home1\"\npublic = [\"203.0.113.5\"]\n";

TEST_F(RegistrationConfigTest, DefaultsNeedLittle) {
  const RegistrationConfig read = Read(kLeast);
  EXPECT_TRUE(read.enabled);
  EXPECT_EQ(read.server, (Endpoint{.address = *ParseIp("192.0.2.53"), .port = 53}));
  EXPECT_EQ(read.zone, Wire("example"));
  EXPECT_EQ(read.name, Wire("home1.example"));
  EXPECT_EQ(read.shared, "");
  EXPECT_EQ(read.ttl, 60U);
  EXPECT_EQ(read.refresh, Seconds(600));
  EXPECT_EQ(read.key, (TsigKey{.name = Wire("home1"), .secret = "secret of a cluster"}));
  EXPECT_THAT(read.addresses, ElementsAre(*ParseIp("203.0.113.5")));
  EXPECT_THAT(read.echo, IsEmpty());
}

TEST_F(RegistrationConfigTest, AllKeys) {
  const RegistrationConfig read = Read(R"(enabled = false
server = "[2001:db8::53]:5353"
zone = "Example."
name = "home1.example."
shared = "clusters"
ttl = 30
refresh = "60s"
public = "echo"
echo = ["198.51.100.7", "198.51.100.8:54", "2001:db8::7"]
echo_name = "me.example"
)");
  EXPECT_FALSE(read.enabled);
  EXPECT_EQ(read.server, (Endpoint{.address = *ParseIp("2001:db8::53"), .port = 5353}));
  EXPECT_EQ(read.name, Wire("home1.example"));
  EXPECT_EQ(read.shared, Wire("clusters.example"));
  EXPECT_EQ(read.ttl, 30U);
  EXPECT_EQ(read.refresh, Seconds(60));
  EXPECT_THAT(read.addresses, IsEmpty());
  EXPECT_THAT(read.echo, ElementsAre(Endpoint{*ParseIp("198.51.100.7"), 53}, Endpoint{*ParseIp("198.51.100.8"), 54},
                                     Endpoint{*ParseIp("2001:db8::7"), 53}));
  EXPECT_EQ(read.echo_name, Wire("me.example"));
}

TEST_F(RegistrationConfigTest, WithoutTheSectionThereIsNone) {
  const std::string head = std::string(kHead).substr(0, std::string(kHead).find("[cluster.reg"));
  const absl::StatusOr<Config> config = ParseConfig(head, "test.toml");
  ASSERT_TRUE(config.ok());
  EXPECT_FALSE(config->cluster.registration.has_value());
}

TEST_F(RegistrationConfigTest, ErrorsNameTheKeyAndTheRemedy) {
  EXPECT_THAT(Error(""), AllOf(HasSubstr("registration.server: missing"), HasSubstr("registration.zone: missing"),
                               HasSubstr("registration.name: missing"), HasSubstr("registration.echo:")));
  const std::string rest = "zone = \"example\"\nname = \"home1\"\npublic = [\"203.0.113.5\"]\n";
  for (const char* const server :
       {"ns.example", "192.0.2.53:0", "192.0.2.53:65536", "[192.0.2.53]:53", "2001:db8::53]:53"}) {
    EXPECT_THAT(Error("server = \"" + std::string(server) + "\"\n" + rest), HasSubstr("DNS server"));
  }
  const std::string least = kLeast;
  const auto with = [&](const std::string& from, const std::string& to) {
    std::string text = least;
    return Error(text.replace(text.find(from), from.size(), to));
  };
  EXPECT_THAT(with("\"home1\"", "\"home1.test.\""), HasSubstr("zone example."));
  EXPECT_THAT(with("\"home1\"", "\"example.\""), HasSubstr("zone example."));
  EXPECT_THAT(with("\"home1\"", "\"a..b\""), HasSubstr("DNS name"));
  EXPECT_THAT(with("[\"203.0.113.5\"]", "[\"203.0.113\"]"), HasSubstr("203.0.113\""));
  EXPECT_THAT(with("[\"203.0.113.5\"]", "[]"), HasSubstr("1 to 8"));
  EXPECT_THAT(with("[\"203.0.113.5\"]", "\"dns\""), AllOf(HasSubstr("\"dns\""), HasSubstr("\"echo\"")));
  EXPECT_THAT(Error(least + "shared = \"home1\"\n"), HasSubstr("registration.shared:"));
  EXPECT_THAT(Error(least + "echo = [\"198.51.100.7\"]\n"), HasSubstr("registration.echo: is only for public"));
  EXPECT_THAT(Error(least + "ttl = 0\n"), HasSubstr("out of range"));
  EXPECT_THAT(Error(least + "refresh = \"1s\"\n"), HasSubstr("10s"));
  EXPECT_THAT(Error(least + "sever = 1\n"), HasSubstr("did you mean \"server\"?"));
}

TEST_F(RegistrationConfigTest, KeyFilesThatCannotBeReadAreErrors) {
  const std::string text = std::string(kHead) + kLeast;
  const auto error = [&](const std::string& path) {
    return std::string(ParseConfig(text + "key_file = \"" + path + "\"\n", "test.toml").status().message());
  };
  EXPECT_THAT(error("tsig.key"), HasSubstr("absolute path"));
  EXPECT_THAT(error(directory_ / "none"), HasSubstr("none: cannot be read"));
  EXPECT_THAT(error(directory_.path()), HasSubstr("cannot be read"));
}

TEST_F(RegistrationConfigTest, AKeyFileThatOthersCanReadIsAWarning) {
  const absl::StatusOr<Config> config = Parse(kLeast);
  ASSERT_TRUE(config.ok());
  EXPECT_THAT(ConfigWarnings("test.toml", *config), IsEmpty());
  chmod(path_.c_str(), 0644);
  EXPECT_THAT(ConfigWarnings("test.toml", *config), ElementsAre(HasSubstr("cluster.registration.key_file:")));
}

TEST_F(RegistrationConfigTest, TheSecretIsNotShown) {
  const absl::StatusOr<Config> config = Parse(kLeast);
  ASSERT_TRUE(config.ok());
  const std::string shown = ConfigJson(*config).dump();
  EXPECT_THAT(shown, HasSubstr("\"key_file\":\"" + path_ + "\""));
  EXPECT_THAT(shown, AllOf(Not(HasSubstr("secret of a")), Not(HasSubstr(kSecret))));
}

TEST(TsigKeyFile, BothForms) {
  const TsigKey right{.name = Wire("home1"), .algorithm = TsigAlgorithm::kHmacSha512, .secret = "secret of a cluster"};
  for (const std::string text :
       {"hmac-sha512:home1:c2VjcmV0IG9mIGEgY2x1c3Rlcg==",
        "# made today\n\n  HMAC-SHA512:Home1.:c2VjcmV0IG9mIGEgY2x1c3Rlcg==  \n",
        "key \"home1\" {\n\talgorithm hmac-sha512;\n\tsecret \"c2VjcmV0IG9mIGEgY2x1c3Rlcg==\";\n};\n",
        "/* two\nlines */ key home1. { secret \"c2VjcmV0IG9mIGEgY2x1c3Rlcg==\"; // here\n algorithm \"hmac-sha512\"; "
        "}"}) {
    const absl::StatusOr<TsigKey> key = ParseTsigKey(text, "k");
    ASSERT_TRUE(key.ok()) << key.status() << text;
    EXPECT_EQ(*key, right) << text;
  }
}

TEST(TsigKeyFile, ErrorsNameTheLineAndNoSecret) {
  const auto error = [](const std::string& text) {
    std::string message(ParseTsigKey(text, "f").status().message());
    EXPECT_THAT(message, AllOf(Not(IsEmpty()), Not(HasSubstr("c2VjcmV0")))) << text;
    return message;
  };
  EXPECT_THAT(error(""), HasSubstr("f:1: "));
  EXPECT_THAT(error("\n\nc2VjcmV0IG9m"), HasSubstr("f:3: "));
  EXPECT_THAT(error("hmac-md5:home1:c2VjcmV0"), AllOf(HasSubstr("f:1: "), HasSubstr("hmac-sha256")));
  EXPECT_THAT(error("hmac-sha256:a..b:c2VjcmV0"), AllOf(HasSubstr("f:1: "), HasSubstr("name")));
  EXPECT_THAT(error("hmac-sha256:home1:c2VjcmV0*"), AllOf(HasSubstr("f:1: "), HasSubstr("base64")));
  EXPECT_THAT(error("hmac-sha256:home1:"), AllOf(HasSubstr("f:1: "), HasSubstr("base64")));
  EXPECT_THAT(error("hmac-sha256:home1:c2VjcmV0\nhmac-sha256:home2:c2VjcmV0"), HasSubstr("f:2: has more than one key"));
  EXPECT_THAT(error("key home1 {\n algorithm hmac-sha256;\n};"), AllOf(HasSubstr("f:1: "), HasSubstr("secret")));
  EXPECT_THAT(error("key home1 {\n secret \"c2VjcmV0\";\n};"), AllOf(HasSubstr("f:1: "), HasSubstr("algorithm")));
  EXPECT_THAT(error("key home1 {\n algorithm hmac-sha256;\n secret \"c2VjcmV0\"\n};"), HasSubstr("f:3: "));
  EXPECT_THAT(error("key home1 {\n algorithm hmac-sha256;\n secret c2VjcmV0"), HasSubstr("f:3: "));
  EXPECT_THAT(error("key home1 {\n algorithm hmac-sha256;"), AllOf(HasSubstr("f:2: "), HasSubstr("}")));
  EXPECT_THAT(error("key home1 { port 53; };"), HasSubstr("f:1: "));
  EXPECT_THAT(error("key home1"), AllOf(HasSubstr("f:1: "), HasSubstr("{")));
  EXPECT_THAT(error("key a { algorithm hmac-sha256; secret \"c2VjcmV0\"; };\nkey b {"), HasSubstr("f:2: "));
}

}  // namespace
}  // namespace qure
