// All timers and limits of the control core, on one page.
#pragma once

#include <array>

#include "proto/time.h"

namespace qure {

// Claiming an address: RFC 5227 §1.1 in structure. The RFC's waits are made for links of 1980s speed and cost 4 to 7 s
// of service on every start; ours come from ClusterConfig::probe_interval (default 150 ms).
inline constexpr int kProbeCount = 3;                        // PROBE_NUM; also DupAddrDetectTransmits for IPv6
inline constexpr Duration kProbeWaitMax = Milliseconds(50);  // PROBE_WAIT: random delay before the first probe
inline constexpr int kAnnounceWaitIntervals = 1;             // ANNOUNCE_WAIT, in probe intervals after the last probe
inline constexpr Duration kRetryTaken = Seconds(10);         // all candidates taken: probe again after this, ± 20 %
inline constexpr Duration kDefendInterval = Seconds(10);     // DEFEND_INTERVAL (RFC 5227 §1.1)

// Announcements after a claim (RFC 5227 §2.3 asks for two, 2 s apart; switches and lossy links want more), then a
// refresh: switch tables age at 300 s, gateways' ARP caches at 1200 s.
inline constexpr std::array<Duration, 5> kAnnounceAt = {Milliseconds(0), Milliseconds(20), Milliseconds(1100),
                                                        Milliseconds(2200), Milliseconds(4400)};
inline constexpr Duration kAnnounceRefresh = Seconds(60);

// Verification: ask the gateway from the service address until it answers to the service MAC, then with each refresh.
inline constexpr Duration kVerifyRetry = Seconds(1);
inline constexpr int kVerifyAlarm = 5;  // unanswered in a row before the alarm is raised

}  // namespace qure
