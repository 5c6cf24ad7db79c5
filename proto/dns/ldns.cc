#include "proto/dns/ldns.h"

namespace qure {

std::optional<uint16_t> DnsTypeOf(std::string_view name) {
  const ldns_rr_type type = ldns_get_rr_type_by_name(std::string(name).c_str());
  if (type == 0) return std::nullopt;
  return static_cast<uint16_t>(type);
}

std::string DnsTypeName(uint16_t type) {
  const LdnsText text(ldns_rr_type2str(static_cast<ldns_rr_type>(type)));
  return text.get();
}

}  // namespace qure
