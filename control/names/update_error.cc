#include "control/names/update_error.h"

#include "control/base/text.h"
#include "proto/dns/message.h"
#include "proto/dns/name.h"
#include "proto/dns/update.h"

namespace qure {
namespace {

std::string Remedy(uint8_t rcode, const RegistrationConfig& config) {
  const std::string zone = DnsNameToText(config.zone);
  switch (rcode) {
    case kDnsFormErr:
      return "FORMERR: it cannot read the message";
    case kDnsServFail:
      return "SERVFAIL: it has an internal problem; see its log";
    case kDnsNotImp:
      return "NOTIMP: it does not support UPDATE; name the primary server of the zone";
    case kDnsRefused:
      return Concat("REFUSED: allow the key ", DnsNameToText(config.key.name), " to update ", zone, " there");
    case kDnsNotAuth:
      return Concat("NOTAUTH: it is not the primary server of ", zone, ", or does not accept the key");
    case kDnsNotZone:
      return Concat("NOTZONE: a name is not in the zone ", zone);
    default:
      return Concat("rcode ", rcode);
  }
}

}  // namespace

std::string RefusalText(uint8_t rcode, const RegistrationConfig& config) {
  return Concat("the server refuses: ", Remedy(rcode, config));
}

std::string SignatureText(const TsigResult& result, uint64_t now, const RegistrationConfig& config) {
  const std::string key = DnsNameToText(config.key.name);
  const auto clocks = [&] {
    const bool ahead = now > result.server_time;
    const uint64_t apart = ahead ? now - result.server_time : result.server_time - now;
    return Concat("clock differs by ", apart, " s: this node's is ", ahead ? "ahead of" : "behind",
                  " the server's; set both by NTP");
  };
  switch (result.error) {
    case kTsigBadSig:
      return Concat("BADSIG: the server has another secret for the key ", key, "; put the same into ", config.key_file);
    case kTsigBadKey:
      return Concat("BADKEY: the server does not know the key ", key, " with ", NameOf(config.key.algorithm),
                    "; configure it there, or name another in ", config.key_file);
    case kTsigBadTime:
      return Concat("BADTIME: ", clocks());
    case kTsigBadTrunc:
      return "BADTRUNC: the server requires a longer signature";
    default:
      break;
  }
  switch (result.kind) {
    case TsigResult::Kind::kSound:
      return {};
    case TsigResult::Kind::kStale:
      return Concat("the answer's signature is out of date: ", clocks());
    case TsigResult::Kind::kUnsigned:
      return Concat("the answer is not signed; configure the key ", key, " at the server");
    case TsigResult::Kind::kForeign:
    case TsigResult::Kind::kForged:
      return Concat("the answer is not signed with the key ", key, "; put the server's secret into ", config.key_file);
  }
  return {};
}

}  // namespace qure
