#include "control/config/zone_text.h"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>

#include "control/base/text.h"
#include "proto/dns/ldns.h"
#include "proto/dns/name.h"

namespace qure {
namespace {

constexpr size_t kMostProblems = 10;

using File = std::unique_ptr<FILE, FreeWith<std::fclose>>;

ConstBytes BytesOf(const ldns_rdf* name) {
  return {ldns_rdf_data(name), ldns_rdf_size(name)};
}

absl::StatusOr<std::string> RdataOf(const ldns_rr* rr) {
  const LdnsBuffer buffer(ldns_buffer_new(LDNS_MAX_PACKETLEN));
  const ldns_status status = ldns_rr_rdata2buffer_wire(buffer.get(), rr);
  if (status != LDNS_STATUS_OK) return absl::InvalidArgumentError(ldns_get_errorstr_by_id(status));
  return std::string(reinterpret_cast<const char*>(ldns_buffer_begin(buffer.get())),
                     ldns_buffer_position(buffer.get()));
}

absl::StatusOr<LdnsData> NameOf(std::string_view text) {
  ldns_rdf* name = nullptr;
  const std::string terminated(text);
  if (ldns_str2rdf_dname(&name, terminated.c_str()) != LDNS_STATUS_OK) {
    return absl::InvalidArgumentError(Concat("\"", text, "\" is not a DNS name"));
  }
  return LdnsData(name);
}

// One zone file while it is read: ldns keeps TTL, origin and owner from record to record.
class ZoneFile {
 public:
  ZoneFile(const std::string& path, FILE* file, ldns_rdf* origin, uint32_t ttl, DnsZoneBuilder* builder)
      : path_(path), file_(file), builder_(builder), ttl_(ttl), origin_(origin) {}
  ~ZoneFile() {
    ldns_rdf_deep_free(origin_);
    ldns_rdf_deep_free(previous_);
  }
  ZoneFile(const ZoneFile&) = delete;
  ZoneFile& operator=(const ZoneFile&) = delete;

  std::vector<std::string> Read() {
    while (!std::feof(file_) && !std::ferror(file_) && problems_.size() < kMostProblems) {
      start_ = line_;
      ldns_rr* read = nullptr;
      const ldns_status status = ldns_rr_new_frm_fp_l(&read, file_, &ttl_, &origin_, &previous_, &line_);
      const LdnsRecord rr(read);
      switch (status) {
        case LDNS_STATUS_OK:
          Take(rr.get());
          break;
        case LDNS_STATUS_SYNTAX_EMPTY:  // a blank line, a comment, the end
        case LDNS_STATUS_SYNTAX_TTL:    // a directive, obeyed
        case LDNS_STATUS_SYNTAX_ORIGIN:
          break;
        case LDNS_STATUS_SYNTAX_INCLUDE:
          Fail("$INCLUDE is not read; put the records into this file");
          break;
        default:
          Fail(Concat("is not a record (", ldns_get_errorstr_by_id(status), "); write NAME TTL IN TYPE DATA"));
      }
    }
    if (std::ferror(file_)) problems_.push_back(Concat(path_, ": cannot be read; name a zone file"));
    return std::move(problems_);
  }

 private:
  void Fail(std::string_view problem) { problems_.push_back(Concat(path_, ", line ", start_, ": ", problem)); }

  void Take(const ldns_rr* rr) {
    const std::string name = DnsToLower(BytesOf(ldns_rr_owner(rr)));
    const auto type = static_cast<uint16_t>(ldns_rr_get_type(rr));
    const auto describe = [&](std::string_view problem) {
      Fail(Concat("\"", DnsNameToText(BytesOf(ldns_rr_owner(rr))), " ", DnsTypeName(type), "\" ", problem));
    };
    if (ldns_rr_get_class(rr) != LDNS_RR_CLASS_IN) return describe("is not of class IN; no other is served");
    if (ldns_rr_ttl(rr) > INT32_MAX) return describe("has a TTL above 2147483647 (RFC 2181 §8); lower it");
    const absl::StatusOr<std::string> rdata = RdataOf(rr);
    if (!rdata.ok()) return describe(Concat("cannot be sent (", rdata.status().message(), "); correct its data"));
    if (const auto unfit = builder_->Add({name, type, ldns_rr_ttl(rr), *rdata})) describe(*unfit);
  }

  const std::string& path_;
  FILE* file_;
  DnsZoneBuilder* builder_;
  uint32_t ttl_;
  ldns_rdf* origin_;
  ldns_rdf* previous_ = nullptr;
  int line_ = 1;
  int start_ = 1;  // of the record that is read
  std::vector<std::string> problems_;
};

}  // namespace

absl::StatusOr<std::string> DnsRdata(uint16_t type, std::string_view text, std::string_view origin) {
  if (text.find('\n') != std::string_view::npos) return absl::InvalidArgumentError("has several lines; write one");
  absl::StatusOr<LdnsData> below = NameOf(origin);
  if (!below.ok()) return below.status();
  const std::string line = Concat("@ 0 IN ", DnsTypeName(type), " ", text);
  ldns_rr* read = nullptr;
  const ldns_status status = ldns_rr_new_frm_str(&read, line.c_str(), 0, below->get(), nullptr);
  const LdnsRecord rr(read);
  if (status != LDNS_STATUS_OK) return absl::InvalidArgumentError(ldns_get_errorstr_by_id(status));
  return RdataOf(rr.get());
}

std::vector<std::string> ReadZoneFile(const std::string& path, std::string_view origin, uint32_t ttl,
                                      DnsZoneBuilder* builder) {
  const File file(std::fopen(path.c_str(), "re"));
  if (file == nullptr) return {Concat(path, ": ", std::strerror(errno), "; check the path and who may read it")};
  absl::StatusOr<LdnsData> below = NameOf(origin);
  if (!below.ok()) return {std::string(below.status().message())};
  return ZoneFile(path, file.get(), below->release(), ttl, builder).Read();
}

}  // namespace qure
