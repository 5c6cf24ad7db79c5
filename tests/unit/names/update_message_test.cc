#include "proto/dns/update.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "control/names/registration.h"
#include "control/names/update_error.h"
#include "proto/dns/message.h"
#include "proto/dns/name.h"
#include "proto/dns/response.h"

namespace qure::test {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

const IpAddress kV4 = *ParseIp("203.0.113.5");
const IpAddress kV6 = *ParseIp("2001:db8::5");

std::string Wire(std::string_view name) {
  return DnsNameToWire(name).value();
}

RegistrationConfig Config() {
  RegistrationConfig config{.zone = Wire("example"), .name = Wire("home1.example"), .key_file = "/etc/qure/tsig.key"};
  config.key = {.name = Wire("home1"), .secret = "the secret itself"};
  return config;
}

std::string Hex(const std::vector<uint8_t>& bytes) {
  constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  for (const uint8_t byte : bytes) {
    text.push_back(kDigits[byte >> 4]);
    text.push_back(kDigits[byte & 15]);
  }
  return text;
}

TEST(OwnerRecord, HasClusterAndAddresses) {
  const OwnerRecord owner{.cluster = "home", .addresses = {kV6, kV4}};
  const std::string rdata = OwnerRdata(owner);
  EXPECT_EQ(rdata,
            "\x28"
            "cluster=home;a=2001:db8::5;a=203.0.113.5");
  EXPECT_EQ(ParseOwnerRdata(rdata), owner);
}

TEST(OwnerRecord, LongOnesAreInSeveralStrings) {
  OwnerRecord owner{.cluster = std::string(63, 'c'), .addresses = {}};
  for (int i = 0; i < 8; ++i) {
    owner.addresses.push_back(*ParseIp("2001:db8:1111:2222:3333:4444:5555:666" + std::to_string(i)));
  }
  const std::string rdata = OwnerRdata(owner);
  EXPECT_EQ(static_cast<uint8_t>(rdata[0]), 255);
  EXPECT_GT(rdata.size(), 257U);
  EXPECT_EQ(ParseOwnerRdata(rdata), owner);
}

TEST(OwnerRecord, RefusesOtherTexts) {
  for (const std::string text : {"\5hello",
                                 "\x09"
                                 "cluster=;",
                                 "\x08"
                                 "cluster=",
                                 "\x0d"
                                 "cluster=x;a=1",
                                 "\x0a"
                                 "a=10.0.0.1",
                                 "\x14"
                                 "cluster=x;cluster=yy",
                                 "\x30"
                                 "cluster=x",
                                 ""}) {
    EXPECT_FALSE(ParseOwnerRdata(text)) << text;
  }
}

// RFC 2136 §2: the prerequisites are in the answer section, the changes in the authority section.
TEST(UpdateMessage, FirstRegistrationRequiresThatNoRecordExists) {
  const RegistrationNames names = NamesOf(Config());
  EXPECT_EQ(names.owner, Wire("_qure.home1.example"));
  const std::string owner = OwnerRdata({.cluster = "h", .addresses = {kV4}});
  const RegistrationUpdate update{.before = {}, .after = owner, .own = {kV4}, .shared_remove = {}, .shared_add = {}};
  const std::string hex = Hex(UpdateMessage(0xabcd, names, 60, update));
  EXPECT_EQ(hex.substr(0, 24), "abcd28000001000300050000");
  EXPECT_EQ(hex.substr(24, 26), "076578616d706c650000060001");  // zone: example SOA IN
  EXPECT_THAT(hex, HasSubstr("0010"
                             "00fe"
                             "00000000"
                             "0000"));  // TXT NONE 0: no such RRset
  EXPECT_THAT(hex, HasSubstr("0001"
                             "00fe"
                             "00000000"
                             "0000"));  // A NONE 0
  EXPECT_THAT(hex, HasSubstr("001c"
                             "00fe"
                             "00000000"
                             "0000"));  // AAAA NONE 0
  EXPECT_THAT(hex, HasSubstr("0001"
                             "00ff"
                             "00000000"
                             "0000"));  // A ANY: delete the RRset
  EXPECT_THAT(hex, HasSubstr("0001"
                             "0001"
                             "0000003c"
                             "0004"
                             "cb007105"));  // A IN 60 203.0.113.5
}

TEST(UpdateMessage, OfTheSharedSetOnlyOwnMembersAreDeleted) {
  RegistrationNames names = NamesOf(Config());
  names.shared = Wire("clusters.example");
  const std::string before = OwnerRdata({.cluster = "h", .addresses = {kV4}});
  const RegistrationUpdate update{.before = before, .after = {}, .own = {}, .shared_remove = {kV4}, .shared_add = {}};
  const std::string hex = Hex(UpdateMessage(1, names, 60, update));
  EXPECT_EQ(hex.substr(0, 24), "000128000001000100040000");
  EXPECT_THAT(hex, HasSubstr("0010"
                             "0001"
                             "00000000"
                             "00"));                  // TXT IN 0: as it was
  EXPECT_THAT(hex, HasSubstr("08636c757374657273"));  // clusters
  EXPECT_THAT(hex, HasSubstr("0001"
                             "00fe"
                             "00000000"
                             "0004"
                             "cb007105"));  // A NONE 0 203.0.113.5
}

TEST(UpdateMessage, RcodesOfPrerequisitesMeanOvertaken) {
  EXPECT_EQ(OutcomeOf(kDnsNoError), UpdateOutcome::kDone);
  for (const uint8_t rcode : std::initializer_list<uint8_t>{3, 6, 7, 8})
    EXPECT_EQ(OutcomeOf(rcode), UpdateOutcome::kOvertaken);
  for (const uint8_t rcode : std::initializer_list<uint8_t>{1, 2, 4, 5, 9, 10})
    EXPECT_EQ(OutcomeOf(rcode), UpdateOutcome::kRefused);
}

TEST(UpdateMessage, ReasonsIncludeTheRemedy) {
  const RegistrationConfig config = Config();
  EXPECT_THAT(RefusalText(kDnsRefused, config), HasSubstr("allow the key home1. to update example."));
  EXPECT_THAT(RefusalText(9, config), HasSubstr("NOTAUTH"));
  EXPECT_EQ(SignatureText({.kind = TsigResult::Kind::kSound}, 1000, config), "");
  EXPECT_THAT(
      SignatureText({.kind = TsigResult::Kind::kSound, .error = kTsigBadTime, .server_time = 1400}, 1000, config),
      AllOf(HasSubstr("BADTIME"), HasSubstr(" 400 s"), HasSubstr("behind"), HasSubstr("NTP")));
  EXPECT_THAT(SignatureText({.error = kTsigBadSig}, 1000, config), HasSubstr("/etc/qure/tsig.key"));
  for (const uint16_t error : {kTsigBadSig, kTsigBadKey, kTsigBadTime, kTsigBadTrunc}) {
    EXPECT_EQ(SignatureText({.error = error}, 1000, config).find(config.key.secret), std::string::npos);
  }
}

TEST(UpdateMessage, AnAnswerHasTheId) {
  std::vector<uint8_t> answer = WriteDnsQuestion({.name = Wire("home1.example"), .type = kDnsTypeA}, 0x55aa);
  EXPECT_FALSE(IsAnswerTo(0x55aa, answer));
  answer[2] |= 0x84;
  EXPECT_TRUE(IsAnswerTo(0x55aa, answer));
  EXPECT_FALSE(IsAnswerTo(0x55ab, answer));
}

}  // namespace
}  // namespace qure::test
