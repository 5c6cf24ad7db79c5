// All timers and limits of the control core, on one page.
#pragma once

#include <array>
#include <cstddef>

#include "proto/time.h"

namespace qure {

// Claiming an address: RFC 5227 §1.1 in structure. The RFC's waits are made for links of 1980s speed and cost 4 to 7 s
// of service on every start; ours come from ClusterConfig::probe_interval (default 150 ms).
inline constexpr int kProbeCount = 3;                        // PROBE_NUM; also DupAddrDetectTransmits for IPv6
inline constexpr Duration kProbeWaitMax = Milliseconds(50);  // PROBE_WAIT: random delay before the first probe
inline constexpr int kAnnounceWaitIntervals = 1;             // ANNOUNCE_WAIT, in probe intervals after the last probe
inline constexpr Duration kRetryTaken = Seconds(10);         // all candidates taken: probe again after this, ± 20 %
inline constexpr Duration kDefendInterval = Seconds(10);     // DEFEND_INTERVAL (RFC 5227 §1.1)
inline constexpr Duration kConflictRepair = Milliseconds(100);  // after a conflict the gateway is asked, so often
inline constexpr Duration kContested = Seconds(30);             // without a conflict for so long: over
inline constexpr Duration kWarm = Seconds(10);  // a master held it within this: its successor need not probe

// The node's own addresses, after a start in dedicated mode (RFC 5227 §2.3): ANNOUNCE_NUM and ANNOUNCE_INTERVAL.
inline constexpr int kOwnAnnouncements = 2;
inline constexpr Duration kOwnAnnounceInterval = Seconds(2);

// Announcements after a claim (RFC 5227 §2.3 asks for two, 2 s apart; switches and lossy links want more), then a
// refresh: switch tables age at 300 s, gateways' ARP caches at 1200 s.
inline constexpr std::array<Duration, 5> kAnnounceAt = {Milliseconds(0), Milliseconds(20), Milliseconds(1100),
                                                        Milliseconds(2200), Milliseconds(4400)};
inline constexpr Duration kAnnounceRefresh = Seconds(60);

// Verification: ask the gateway from the service address until it answers to the service MAC, then with each refresh.
inline constexpr Duration kVerifyRetry = Seconds(1);
inline constexpr int kVerifyAlarm = 5;  // unanswered in a row before the alarm is raised

// A frame from our service MAC comes back: the switch returns what we send.
inline constexpr Duration kEchoWithin = Milliseconds(50);  // after an announcement of ours
inline constexpr Duration kEchoKnown = Seconds(3);         // after a message of ours that came back
inline constexpr Duration kEchoRepair = Seconds(1);        // a frame to the gateway alone, so often meanwhile

// What is believed of the gateway: answers to our own questions.
inline constexpr Duration kGatewayAnswer = Seconds(1);           // later than this it answers no question any more
inline constexpr Duration kGatewayPatience = Milliseconds(200);  // silent for so long: asked at its MAC no more
inline constexpr Duration kGatewayHintInterval =
    Seconds(1);  // asked at most so often because a frame says that it moved

// Membership.
inline constexpr Duration kHelloLeast = Milliseconds(100);  // hello interval of a member: max(this, N × kHelloPerNode)
inline constexpr Duration kHelloPerNode = Milliseconds(17);  // N × 1/(N × 17 ms) = 59 a second, whatever N is …
inline constexpr Duration kHelloMaster = Milliseconds(40);   // … and 25 of the master: two masters meet within 50 ms
inline constexpr int kSuspectAfterIntervals = 4;             // silent for so many of its hello intervals: asked
inline constexpr Duration kPingInterval = Milliseconds(50);
inline constexpr int kPings = 3;                              // unanswered: down
inline constexpr Duration kHeartbeatLife = Seconds(1);        // heartbeats alone keep a node present for so long
inline constexpr Duration kForgetDown = Seconds(24 * 3600);   // a node down for so long leaves the table
inline constexpr Duration kConfigDiffers = Seconds(10);       // another configuration for so long is reported
inline constexpr Duration kRebootQuiet = Milliseconds(150);   // no machine is up again so soon after it spoke
inline constexpr Duration kLateFrames = Seconds(1);           // a frame of the boot before may come so late
inline constexpr Duration kMulticastMissing = Seconds(3);     // heard by broadcast, but not by multicast for so long
inline constexpr uint64_t kBroadcastEvery = 10;               // HELLOs: one of so many goes by broadcast too
inline constexpr Duration kCloneMemory = Seconds(10);         // our identity was heard from another machine: ineligible
inline constexpr Duration kBootsTogether = Milliseconds(50);  // boots so close: the greater id counts as the later
inline constexpr Duration kCloneGrace = Milliseconds(300);    // for a copy that knows it is one to leave by itself
inline constexpr size_t kMaxMembers = 256;                    // more are refused and logged

// Booting: HELLOs at once and then at this interval; silence for kListen means that no node is active.
inline constexpr Duration kBootHelloInterval = Milliseconds(100);
inline constexpr Duration kListen = Milliseconds(600);  // longer than the greatest lease, 200 ms
inline constexpr Duration kListenJitter = Milliseconds(100);
// Boots that have proven nothing speak: the word of a master may be among them, and wait for its turn to be challenged.
// So long the silence of all others proves nothing; no longer, or a host that plays recordings would hold a node.
inline constexpr Duration kListenLonger = Seconds(3);
inline constexpr uint64_t kUptimeTieMs = 10'000;      // lineages whose uptimes differ by less: the id decides
inline constexpr uint64_t kUptimeDoubtMs = 1'000;     // this close to it the two sides may differ …
inline constexpr Duration kDispute = Seconds(3);      // … and after so long the id decides
inline constexpr Duration kFoundAnyway = Seconds(3);  // for a better one that boots: no longer

// Transport: a boot that has not proven that it is active is challenged, and echoed to, so often; after each time
// without success half as often, down to an eighth, and where many such boots speak down to a 512th: most of them are
// recordings. The first answers to a boot are paid for apart from those that are repeated, and the repeated ones by
// each node's boots together, so that the recordings of one node take nothing from another.
inline constexpr Duration kChallengeInterval = Milliseconds(20);
inline constexpr int kChallengeBackoff = 8;
inline constexpr int kChallengeLongBackoff = 512;
inline constexpr size_t kManyUnproven = 32;  // so many within kChallengeLife are many
inline constexpr int kFirstAnswers = 512;    // to new boots: so many at once, then one per interval
inline constexpr int kRepeatedAnswers = 16;  // to the boots of one node: so many at once, then one per interval
inline constexpr int kChallengeBurst = 128;  // repeated ones to all: so many at once, then four per interval
inline constexpr int kChallengesPerInterval = 4;
inline constexpr Duration kChallengeLife = Seconds(1);  // an echo that comes later proves nothing
inline constexpr size_t kMaxSessions = 1024;
inline constexpr Duration kReplayedQuiet = Milliseconds(200);  // a boot that says nothing new for so long: challenged
inline constexpr uint64_t kStrangerDatagrams = 3;              // that do not authenticate: a stranger, and no accident
inline constexpr size_t kMaxStrangers = 16;
inline constexpr Duration kStrangerForgotten = Seconds(60);  // not heard for so long
inline constexpr Duration kStrangerAgain = Seconds(600);     // logged again
inline constexpr Duration kStrangerHint = Seconds(2);        // of a node without a key that hears a cluster
inline constexpr Duration kStrangerLog = Seconds(1);         // between two lines about strangers

// Listening to multicast groups (RFC 3376 §8, RFC 3810 §9).
inline constexpr int kReports = 2;                       // Robustness Variable: a change is reported so often
inline constexpr Duration kReportInterval = Seconds(1);  // Unsolicited Report Interval: within this
inline constexpr Duration kOlderQuerier = Seconds(260);  // Older Version Querier Present Timeout

// A gap between two steps of the control core, which sends HELLO far more often: its thread was held.
inline constexpr Duration kControlHeld = Milliseconds(200);

// Election. A deputy acts on kMasterSilent at once; all others by rank.
inline constexpr Duration kElectFirst = Milliseconds(150);  // after the master's death: leaves the deputy its chance
inline constexpr Duration kElectStep = Milliseconds(150);   // per better ranked eligible node
inline constexpr Duration kCandidateListen = Milliseconds(50);  // asking before claiming; also the listen after a stall
inline constexpr Duration kCandidateAsk = Milliseconds(15);     // between the questions
inline constexpr Duration kGatewayAsk = Milliseconds(5);  // a claim waits for the gateway's answer: ask it so often,
inline constexpr Duration kGatewayAskSlow = Milliseconds(200);  // after a second less often
inline constexpr Duration kLeastLapse = Milliseconds(5);  // from kLeaseLost to kLeaseLapsed; sooner: both were queued
inline constexpr Duration kWithoutGateway = Seconds(1);   // no answer for so long: claim without it, if allowed
inline constexpr Duration kSilenceHolds = Milliseconds(50);  // a deputy's proof: leads once the gateway answers
inline constexpr Duration kOldWord = Milliseconds(20);       // what the silent master said may come so late,
inline constexpr Duration kOldHearsay = Seconds(1);          // and others name it until they miss it themselves
inline constexpr Duration kVetoLife = Seconds(3);  // answers for the address, and no word of a master: then they lie
inline constexpr Duration kDeputyCooldown = Seconds(1);  // a deputy that lapsed is not chosen again before
// A node that is heard and does not name the master for so long hears nobody: no share. Longer than any takeover.
inline constexpr Duration kDeafAfter = Seconds(1);
// What has parted master and deputy for no longer than this, with both alive, makes the lease so much longer …
inline constexpr Duration kLongestDisturbance = Milliseconds(300);
inline constexpr Duration kRememberDisturbance = Seconds(300);  // … for so long, then half as long …
inline constexpr Duration kForgetHalf = Seconds(60);            // … after each of these
inline constexpr Duration kInformTimeout = Seconds(1);  // handover: the successor is deputy and knows all flows, or not
inline constexpr Duration kPrepareTimeout = Milliseconds(500);  // then it sends PREPARED, or the handover fails
inline constexpr Duration kYieldTimeout = Milliseconds(60);     // the successor claims, or we take back
inline constexpr int kYields = 3;
inline constexpr Duration kYieldInterval = Milliseconds(2);
inline constexpr Duration kHandoverAnswers = Milliseconds(300);  // answers from the node MAC after a handover
inline constexpr Duration kOfferTimeout = Milliseconds(500);     // a deputy to be that does not become ready
inline constexpr Duration kRivalInterval = Milliseconds(10);     // HELLOs sent because of another master
inline constexpr Duration kAnnounceAgain = Milliseconds(100);    // at most so often because a node newly follows
inline constexpr Duration kHearsay = Milliseconds(700);          // a master that others name, but who is not heard here
inline constexpr Duration kStopTimeout = Seconds(2);
inline constexpr Duration kLeaveWait = Seconds(1);       // for all to take a node's word that it leaves
inline constexpr int kWantedCount = 2;                   // so many unanswered requests for a service address
inline constexpr Duration kWantedWithin = Seconds(3);    // within this make any node ask the master
inline constexpr uint64_t kTermEpochLimit = 1ULL << 48;  // no era has seen so many masters: refused
inline constexpr uint64_t kEpochBlock = 64;              // term epochs reserved durably at a time
inline constexpr uint64_t kEpochLow = 16;                // reserve more when fewer are left

// Balance epochs.
inline constexpr Duration kEpochLeast = Milliseconds(200);  // between two, but for losses
inline constexpr Duration kEpochSettled = Seconds(3);       // one that has not settled by then is taken to have
inline constexpr Duration kEpochLook = Milliseconds(50);    // has it settled?
inline constexpr uint32_t kMulticastStages = 3;             // all go by it, none hands flows on, all have reported
inline constexpr Duration kReadyPatience = Seconds(1);      // for a HELLO of each node that has shares
inline constexpr Duration kBalancePull = Milliseconds(50);  // between two pulls of one state
inline constexpr size_t kBalancePart = 1024;                // bytes
inline constexpr size_t kMaxBalanceParts = 64;
inline constexpr Duration kReportAgain = Seconds(120);  // owners report all pinned flows anew: IdleLimit is 5 min
inline constexpr Duration kPinnedFlowResend = Milliseconds(50);
inline constexpr int kPinnedFlowTries = 20;
inline constexpr size_t kPinnedFlowWindow = 16;          // messages to one node that are not acknowledged
inline constexpr size_t kMaxPinnedFlowMessages = 4'096;  // waiting for one node; more are left for the next round
inline constexpr Duration kFlowQueryInterval = Milliseconds(50);  // asking another node about a flow, to explain
inline constexpr int kFlowQueryTries = 10;
inline constexpr Duration kLeastDrainDeadline = Seconds(1);
inline constexpr Duration kMostDrainDeadline = Seconds(604'800);  // a week
inline constexpr Duration kHeavyHitterQuiet = Seconds(60);        // few flows for so long: no heavy hitter any more

// Records of admission. A signature costs some 100 µs: of records that are sent, so many are verified at once, and then
// one per kRecordCost.
inline constexpr Duration kRecordCost = Milliseconds(10);
inline constexpr int kRecordBurst = 128;
inline constexpr size_t kRecordPart = 1024;     // bytes
inline constexpr size_t kMaxRecordParts = 32;   // per answer to a pull
inline constexpr size_t kMaxPiecedRecords = 4;  // being put together
inline constexpr size_t kIdsInPull = 64;

// History.
inline constexpr uint32_t kErasKept = 8;                      // events of older eras become a summary
inline constexpr Duration kPullInterval = Milliseconds(200);  // at most, per peer whose digest differs
inline constexpr size_t kMaxChunks = 8;                       // per answer
inline constexpr size_t kMaxHistoryText = 96;                 // bytes of an event's text
inline constexpr size_t kMaxHistoryEvents = 65'536;           // others' events beyond are not taken
inline constexpr size_t kFoldHistoryAt = 57'344;              // so many: all become summaries but …
inline constexpr size_t kHistoryKept = 32'768;                // … the newest
inline constexpr size_t kHistoryBelieved = 16'384;            // so many known after it make a summary believable
inline constexpr size_t kMaxSummaries = 4'096;
inline constexpr Duration kMaxAhead = Seconds(24 * 3600);  // our times do not follow others further ahead
inline constexpr uint32_t kEraLimit = 1'000'000'000;       // no cluster has begun so often: refused
inline constexpr uint64_t kAgeLimit = 1ULL << 48;          // nor has a node booted so often
inline constexpr uint64_t kUptimeLimitMs = 1ULL << 52;     // nor has anything been up for so long
inline constexpr Duration kLifeSave = Seconds(20);         // uptime and the time are made durable so often
inline constexpr Duration kClockAhead = Seconds(600);      // events later than this from now: by a clock that was wrong

// The configuration of the cluster. A change that got no verdict is given up by every node by itself.
inline constexpr Duration kConfigPrepared = Seconds(60);          // prepared, and neither opened nor given up
inline constexpr Duration kConfigTrial = Seconds(5);              // on the canary, at most; also if its master is lost
inline constexpr Duration kConfigTrialLeast = Milliseconds(100);  // what is heard sooner is of before; a hello interval
inline constexpr Duration kConfigTrialPatience = Seconds(2);      // for the gateway and the members to be heard again
inline constexpr Duration kConfigVotes = Seconds(3);              // for the vote of a member that is reachable
inline constexpr Duration kConfigAgain = Milliseconds(200);       // what was not answered is sent again
inline constexpr Duration kConfigPull = Milliseconds(50);         // parts that have not come are asked for again
inline constexpr Duration kConfigRetry = Seconds(30);             // what could not be applied or stored is tried again
inline constexpr Duration kConfigForward = Seconds(3);            // for the body of a change that another node forwards
inline constexpr Duration kConfigRenumber = Seconds(3'600);       // of the cluster's uptime, after a change expired

}  // namespace qure
