#include "control/names/cached_answer.h"

#include "control/names/dns_cache.h"
#include "proto/dns/block_writer.h"
#include "proto/dns/message.h"

namespace qure {
namespace {

constexpr uint8_t kPointer = 0xc0;  // RFC 1035 §4.1.4

// The offset of the TTL of the record at `at`.
uint16_t TtlOf(const std::vector<uint8_t>& bytes, size_t at) {
  while (bytes[at] != 0 && bytes[at] < kPointer) at += size_t{1} + bytes[at];
  at += bytes[at] == 0 ? 1 : 2;
  return static_cast<uint16_t>(at + sizeof(DnsRecordHeader::type) + sizeof(DnsRecordHeader::klass));
}

}  // namespace

std::shared_ptr<const DnsCachedAnswer> MakeCachedAnswer(const DnsQuestion& question, const DnsFinding& finding,
                                                        uint64_t unix_now) {
  auto answer = std::make_shared<DnsCachedAnswer>();
  DnsBlockWriter writer(question.name);
  const auto add = [&](const DnsRecord& record) {
    const size_t at = writer.bytes().size();
    writer.Add(record.name, record.type, record.ttl, record.rdata);
    answer->ttl_at.push_back(TtlOf(writer.bytes(), at));
  };
  for (const DnsRecord& record : finding.records) add(record);
  if (finding.soa) add(*finding.soa);
  answer->name = DnsNameBuffer(std::string_view(question.name));
  answer->type = question.type;
  answer->rcode = finding.rcode;
  answer->answers = static_cast<uint16_t>(finding.records.size());
  answer->authorities = finding.soa ? 1 : 0;
  answer->bytes = writer.bytes();
  answer->since = static_cast<uint32_t>(unix_now);
  answer->until = answer->since + finding.ttl - finding.ttl / static_cast<uint32_t>(DnsCache::kPrefetchPart);
  return answer;
}

}  // namespace qure
