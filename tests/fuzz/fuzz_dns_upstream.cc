// What another DNS server sends as an answer: whatever it is, only a chain from the question comes out of it, and the
// answer made of that can be read. The first byte of the input chooses the type that was asked for.
#include <set>
#include <string>

#include "control/names/cached_answer.h"
#include "proto/dns/message.h"
#include "proto/dns/name.h"
#include "proto/dns/response.h"
#include "tests/fuzz/fuzz.h"
#include "tests/support/dns_reader.h"

namespace qure {
namespace {

constexpr uint16_t kId = 0x4242;
constexpr uint16_t kTypes[] = {kDnsTypeA,  kDnsTypeAaaa, kDnsTypeCname, kDnsTypeMx,
                               kDnsTypeNs, kDnsTypeSoa,  kDnsTypeSrv,   kDnsTypeTxt};
constexpr uint64_t kUnixNow = 1'700'000'000;
constexpr size_t kMostRecords = 65'535 - 512;  // beyond, no message has room for them

void CheckFinding(const DnsQuestion& question, const DnsFinding& finding) {
  FUZZ_CHECK(finding.rcode == kDnsNoError || finding.rcode == kDnsNxDomain);
  FUZZ_CHECK(finding.ttl <= kMostKept);
  std::string name = question.name;
  std::set<std::string> aliases;
  for (const DnsRecord& record : finding.records) {
    FUZZ_CHECK(record.name == name);
    FUZZ_CHECK(record.ttl >= finding.ttl && record.ttl <= kMostKept);
    FUZZ_CHECK(record.type == question.type || record.type == kDnsTypeCname);
    if (record.type != kDnsTypeCname || question.type == kDnsTypeCname) continue;
    FUZZ_CHECK(aliases.insert(name).second);
    name = DnsToLower(AsBytes(record.rdata));
  }
  if (finding.soa) FUZZ_CHECK(finding.soa->type == kDnsTypeSoa && DnsIsWithin(name, finding.soa->name));
}

// The message that an client gets, as it would read it.
void CheckAnswer(const DnsQuestion& question, const DnsFinding& finding, const DnsCachedAnswer& answer) {
  FUZZ_CHECK(answer.ttl_at.size() == finding.records.size() + (finding.soa ? 1 : 0));
  std::vector<uint8_t> message = WriteDnsQuestion(question, kId);
  message.resize(sizeof(DnsHeader) + question.name.size() + 4);
  DnsHeader header;
  header.question_count = Be16(1);
  header.answer_count = Be16(answer.answers);
  header.authority_count = Be16(answer.authorities);
  std::memcpy(message.data(), &header, sizeof(header));
  message.insert(message.end(), answer.bytes.begin(), answer.bytes.end());
  const auto read = testing::ReadDns(message);
  FUZZ_CHECK(read.has_value());
  FUZZ_CHECK(read->answers.size() == finding.records.size() && read->authorities.size() == answer.authorities);
  for (size_t i = 0; i < read->answers.size(); ++i) {
    Be32 ttl;
    std::memcpy(&ttl, &answer.bytes[answer.ttl_at[i]], sizeof(ttl));
    FUZZ_CHECK(ttl.value() == finding.records[i].ttl && read->answers[i].ttl == ttl.value());
    FUZZ_CHECK(read->answers[i].type == finding.records[i].type);
  }
}

}  // namespace
}  // namespace qure

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace qure;
  fuzz::Input input({data, size});
  const DnsQuestion question{.name = DnsNameToWire("www.home.example").value(), .type = kTypes[input.Byte() % 8]};
  const std::vector<uint8_t> message = fuzz::Copy(input.rest());
  const DnsResponse response = ReadDnsResponse(message, kId, question);
  if (response.kind != DnsResponse::Kind::kFinding) return 0;
  CheckFinding(question, response.finding);
  const auto answer = MakeCachedAnswer(question, response.finding, kUnixNow);
  if (answer->bytes.size() <= kMostRecords) CheckAnswer(question, response.finding, *answer);
  return 0;
}
