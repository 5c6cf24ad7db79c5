// Rules that a test may break on purpose, to prove that the simulator would notice. Compiled in only with
// -DQURE_MUTATIONS; otherwise Mutated() is the constant false and nothing of this is in the program.
#pragma once

#include <cstdint>

namespace qure {

enum class Mutation : uint8_t {
  kNone,

  // Gate and heartbeater.
  kIgnoreStall,       // a worker that stood still goes on as if nothing had happened
  kDoNotGate,         // an opened gate lets everything through, even without a lease
  kLeaseFromAckTime,  // the lease runs from the arrival of the acknowledgement, not from the sending of the heartbeat
  kDeputyIgnoresOwnStall,  // a deputy takes its own pause for the master's silence
  kDeputyDoesNotDrain,     // a deputy acts on silence while heartbeats may wait in its receive queue
  kExpiryMovesBack,        // a shorter D takes effect at the deputy at once
  kAnswerBacklog,          // what waited through a pause that no clock shows is answered as if it were new
  kIgnoreClockRatio,       // a deputy takes its own clock for the master's
  kIgnoreLink,             // the link of the LAN port is not acted on

  // Control core.
  kForgetDisturbances,  // what has ended a lease once is not remembered
  kSkipVeto,
  kOneEventBudget,  // what anyone can cause shares a budget with what a takeover waits for
  kFollowOldWord,   // a deputy that has proven its master's silence follows it again at a member's word
  kTwinStays,       // of two machines with one identity and one MAC neither takes a new one
  kEndlessVeto,     // a host that answers for the address keeps the election open
  kReuseTerm,
  kIgnoreHigherTerm,
  kNoChallenge,
  kAcceptReplay,         // a message of a proven boot counts as often as it comes
  kAdmitAll,             // all that comes to the cluster's port is taken for a message of a known boot
  kFoundBesideUnproven,  // a node that boots takes boots that have proven nothing for silence
  kFoundBesideProof,     // … and one whose word is still to come after its proof
  kEchoForOthers,        // a challenge is answered by the machine that it comes to, whichever boot it names
  kShareAnswers,         // all boots that have proven nothing share one allowance of answers
  kIgnoreRestore,        // a boot that was restored from a snapshot goes on
  kBelieveFrame,         // where a node is, is taken from the frame around its message
  kPullNoRecords,        // a node that has other records of admission than another does not ask it for them
  kClaimWithoutGateway,
  kNoYieldShut,
  kClaimWhileListening,
  kYieldToConflict,    // a held address is given up to a host that announces it
  kBelieveAnyGateway,  // what a frame says as the gateway is believed, whether it answers a question or not
  kKeepWholeEras,      // a history that has grown too long takes no more, instead of folding what is old

  // Balance.
  kShareDeaf,            // a node that hears nobody gets flows
  kShareUnready,         // a node gets flows before it knows who had them
  kReadyForEver,         // a node that heard nobody for a while goes on with what it knew before
  kChangeDoesNotWait,    // an epoch is taken to have settled at once
  kTakeNewFlowsEarly,    // delivery by multicast: new flows go by an epoch that others may not have yet
  kTellMasterOnly,       // delivery by multicast: pinned flows are reported to master and deputy alone
  kHandOverUninformed,   // the mastership goes to a node that does not know of all pinned flows yet
  kReportNoPinnedFlows,  // owners keep to themselves what they serve though the table names another

  // Configuration.
  kConfigExpiredWins,       // a change that one node rolled back stays so, though another confirmed it in time
  kConfigRestartKeepsOpen,  // a node that was restarted goes on with what was not confirmed
  kConfigTrialSent,         // what is on trial at the canary is sent to others as open
  kConfigSecondWhileOpen,   // a change begins while another waits to be confirmed
  kConfigConfirmLate,       // a change is confirmed after its deadline
  kConfigPartOfMap,         // only what is in effect is sent to others
  kConfigApplyEarly,        // a change is applied before it is durable
  kConfigIgnoreDigest,      // a node that hears that another knows other versions does not send what it knows
  kConfigNoTick,            // nothing of a node's configuration happens by time
  kSwitchKeyAtOnce,         // a new session key is used before the others have it
  kRenewNever,              // a member that hears a key that it does not have does not ask for it
  kExpelledStays,           // a node that a roster leaves out goes on
  kRejoinsAsItWas,          // one that was away while another was expelled keeps what it was told meanwhile
  kConfigUnableLeads,       // a node that cannot run what is in effect leads and serves all the same

  // Who belongs to the cluster.
  kOldAdmissionCounts,  // an admission of before a roster counts under it
  kAnySignerAdmits,     // an admission counts, also by no member
  kForeignLeave,        // a node has left by the word of another
  kRosterUnion,         // of two rosters of one generation, who is in either stays
  kMakeNoKey,           // where no key is clean, nobody makes one
  kLearnNoRecords,      // a member that asks for a key takes no roster from a node that has none for it
  kUncleanKeyCounts,    // a key that was made for other rosters is taken, used and given
  kOldKeyStays,         // a key that is not clean opens for ever
  kWelcomeExpelled,     // who belonged to the cluster when its handshake began is given the keys
  kTokenForAll,         // what a token has signed for one handshake is good for any
  kIgnoreWant,          // a node that wants one cluster takes the offer of another
  kShortCodes,          // two digits of a code name a node
  kFullListRefuses,     // a node that was named is not looked at while the list of candidates is full
};

#ifdef QURE_MUTATIONS
inline Mutation mutation = Mutation::kNone;  // the broken rule; set by the test before it starts
inline bool Mutated(Mutation which) {
  return mutation == which;
}
#else
constexpr bool Mutated(Mutation) {
  return false;
}
#endif

}  // namespace qure
