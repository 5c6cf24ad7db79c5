// The words that stand for values in the configuration file, each set once: the reader turns words into values, `config
// show` turns values into words.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "control/core/config.h"
#include "proto/net/ip.h"

namespace qure {

template <typename T>
struct ConfigWord {
  std::string_view text;
  T value;
};

inline constexpr ConfigWord<LogLevel> kLogLevels[] = {{"debug", LogLevel::kDebug},
                                                      {"info", LogLevel::kInfo},
                                                      {"warning", LogLevel::kWarning},
                                                      {"error", LogLevel::kError}};
inline constexpr ConfigWord<LanMode> kLanModes[] = {{"dedicated", LanMode::kDedicated}, {"shared", LanMode::kShared}};
inline constexpr ConfigWord<ServiceMac> kServiceMacs[] = {{"derived", ServiceMac::kDerived},
                                                          {"interface", ServiceMac::kInterface}};
inline constexpr ConfigWord<DefaultPolicy> kDefaultPolicies[] = {{"local", DefaultPolicy::kLocal},
                                                                 {"drop", DefaultPolicy::kDrop}};
inline constexpr ConfigWord<admission::AutoAdmit> kAutoAdmits[] = {{"off", admission::AutoAdmit::kOff},
                                                                   {"copies", admission::AutoAdmit::kCopies},
                                                                   {"all", admission::AutoAdmit::kAll}};
inline constexpr ConfigWord<Security> kSecurities[] = {{"sealed", Security::kSealed}, {"open", Security::kOpen}};
inline constexpr std::string_view kJoinAny = "any";
inline constexpr ConfigWord<uint8_t> kProtocols[] = {{"tcp", kProtocolTcp}, {"udp", kProtocolUdp}};
inline constexpr ConfigWord<Affinity> kAffinities[] = {{NameOf(Affinity::kSocket), Affinity::kSocket},
                                                       {NameOf(Affinity::kAddress), Affinity::kAddress},
                                                       {NameOf(Affinity::kAdaptive), Affinity::kAdaptive}};
inline constexpr ConfigWord<ReturnPath> kReturnPaths[] = {{"direct", ReturnPath::kDirect},
                                                          {"master", ReturnPath::kMaster}};
inline constexpr ConfigWord<ServiceDelivery> kDeliveries[] = {{"unicast", ServiceDelivery::kUnicast},
                                                              {"multicast", ServiceDelivery::kMulticast}};
inline constexpr ConfigWord<HealthCheck::Kind> kCheckTypes[] = {{"tcp", HealthCheck::Kind::kTcp},
                                                                {"http", HealthCheck::Kind::kHttp}};
inline constexpr ConfigWord<bool> kRecordOrders[] = {{"rotated", true}, {"sorted", false}};

// Empty for a value that has no word.
template <typename T, size_t kCount>
constexpr std::string_view WordFor(const ConfigWord<T> (&words)[kCount], T value) {
  for (const ConfigWord<T>& word : words) {
    if (word.value == value) return word.text;
  }
  return "";
}

}  // namespace qure
