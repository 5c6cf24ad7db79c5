#include "tests/sim/mutants.h"

#include <algorithm>

namespace qure::sim {
namespace {

constexpr Mutant kMutants[] = {
    {Mutation::kIgnoreStall, "ignore_stall", "suspended"},
    {Mutation::kDoNotGate, "do_not_gate", "paused_master"},
    {Mutation::kLeaseFromAckTime, "lease_from_ack_time", "late_frames"},
    {Mutation::kDeputyIgnoresOwnStall, "deputy_ignores_own_stall", "deaf_pause"},
    {Mutation::kDeputyDoesNotDrain, "deputy_does_not_drain", "flooded_deputy", 400},
    {Mutation::kExpiryMovesBack, "expiry_moves_back", "lease_shrinks"},
    {Mutation::kAnswerBacklog, "answer_backlog", "unseen_pause"},
    {Mutation::kIgnoreClockRatio, "ignore_clock_ratio", "clock_rates"},
    {Mutation::kIgnoreLink, "ignore_link", "link_flaps"},
    {Mutation::kForgetDisturbances, "forget_disturbances", "disturbances"},
    {Mutation::kSkipVeto, "skip_veto", "deaf_member"},
    {Mutation::kFollowOldWord, "follow_old_word", "slow_gateway"},
    {Mutation::kOneEventBudget, "one_event_budget", "probe_flood"},
    {Mutation::kTwinStays, "twin_stays", "clone_twin"},
    {Mutation::kEndlessVeto, "endless_veto", "false_holder"},
    {Mutation::kReuseTerm, "reuse_term", "isolated_claims"},
    {Mutation::kIgnoreHigherTerm, "ignore_higher_term", "cut_and_healed"},
    {Mutation::kNoChallenge, "no_challenge", "replayed_boot"},
    {Mutation::kAcceptReplay, "accept_replay", "replayed_now"},
    {Mutation::kAdmitAll, "admit_all", "cluster_flood"},
    {Mutation::kBelieveFrame, "believe_frame", "relabelled"},
    {Mutation::kEchoForOthers, "echo_for_others", "recorded_start"},
    {Mutation::kShareAnswers, "share_answers", "recorded_boots"},
    {Mutation::kFoundBesideUnproven, "found_beside_unproven", "mute_start"},
    {Mutation::kFoundBesideProof, "found_beside_proof", "mute_start", 400},
    {Mutation::kIgnoreRestore, "ignore_restore", "restored_node"},
    {Mutation::kPullNoRecords, "pull_no_records", "records_founded"},
    {Mutation::kSwitchKeyAtOnce, "switch_key_at_once", "rotated"},
    {Mutation::kRenewNever, "renew_never", "rotated_away"},
    {Mutation::kExpelledStays, "expelled_stays", "revoked"},
    {Mutation::kOldAdmissionCounts, "old_admission_counts", "revoked"},
    {Mutation::kAnySignerAdmits, "any_signer_admits", "stolen_disk"},
    {Mutation::kRosterUnion, "roster_union", "rosters_meet"},
    {Mutation::kLearnNoRecords, "learn_no_records", "rosters_meet"},
    {Mutation::kMakeNoKey, "make_no_key", "rosters_meet"},
    {Mutation::kIgnoreWant, "ignore_want", "other_offers"},
    {Mutation::kFullListRefuses, "full_list_refuses", "candidate_flood"},
    {Mutation::kRejoinsAsItWas, "rejoins_as_it_was", "thief_meets_absent"},
    {Mutation::kForeignLeave, "foreign_leave", "stolen_disk"},
    {Mutation::kUncleanKeyCounts, "unclean_key_counts", "stolen_disk"},
    {Mutation::kOldKeyStays, "old_key_stays", "revoked"},
    {Mutation::kWelcomeExpelled, "welcome_expelled", "stolen_disk"},
    {Mutation::kTokenForAll, "token_for_all", "token_copied"},
    {Mutation::kShortCodes, "short_codes", "looks_alike"},
    {Mutation::kConfigIgnoreDigest, "config_ignore_digest", "config_away"},
    {Mutation::kConfigNoTick, "config_no_tick", "config_rolled_back"},
    {Mutation::kConfigUnableLeads, "config_unable_leads", "config_unable"},
    {Mutation::kConfigRestartKeepsOpen, "config_restart_keeps_open", "config_master_dies"},
    {Mutation::kClaimWithoutGateway, "claim_without_gateway", "cut_and_healed"},
    {Mutation::kYieldToConflict, "yield_to_conflict", "foreign_takes"},
    {Mutation::kBelieveAnyGateway, "believe_any_gateway", "false_gateway"},
    {Mutation::kNoYieldShut, "no_yield_shut", "handovers"},
    {Mutation::kClaimWhileListening, "claim_while_listening", "deaf_member"},
    {Mutation::kShareDeaf, "share_deaf", "flows_deaf"},
    {Mutation::kKeepWholeEras, "keep_whole_eras", "history_long", 3},
    {Mutation::kReadyForEver, "ready_for_ever", "flows_deaf"},
    {Mutation::kShareUnready, "share_unready", "flows_deaths", 400},
    {Mutation::kChangeDoesNotWait, "change_does_not_wait", "flows_changes"},
    {Mutation::kTakeNewFlowsEarly, "take_new_flows_early", "flows_late"},
    {Mutation::kTellMasterOnly, "tell_master_only", "flows_changes"},
    {Mutation::kHandOverUninformed, "hand_over_uninformed", "flows_handed"},
    {Mutation::kReportNoPinnedFlows, "report_no_pinned_flows", "flows_changes"},
};

}  // namespace

std::span<const Mutant> Mutants() {
  return kMutants;
}

const Mutant* FindMutant(std::string_view name) {
  const auto found = std::ranges::find(kMutants, name, &Mutant::name);
  return found == std::end(kMutants) ? nullptr : found;
}

}  // namespace qure::sim
