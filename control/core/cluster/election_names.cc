// The names of roles, phases and causes, as status, log and metrics show them.
#include "control/core/cluster/election.h"

namespace qure {

std::string_view NameOf(Role role) {
  switch (role) {
    case Role::kIdle:
      return "idle";
    case Role::kMember:
      return "member";
    case Role::kCandidate:
      return "candidate";
    case Role::kMaster:
      return "master";
  }
  return "";
}

std::string_view NameOf(MasterPhase phase) {
  switch (phase) {
    case MasterPhase::kSolo:
      return "solo";
    case MasterPhase::kOffering:
      return "offering";
    case MasterPhase::kLeased:
      return "leased";
    case MasterPhase::kLost:
      return "lost";
    case MasterPhase::kRejoining:
      return "rejoining";
    case MasterPhase::kPreparing:
      return "preparing";
  }
  return "";
}

std::string_view NameOf(Cause cause) {
  switch (cause) {
    case Cause::kFirst:
      return "first";
    case Cause::kSilence:
      return "silence";
    case Cause::kElected:
      return "elected";
    case Cause::kHandover:
      return "handover";
    case Cause::kLapse:
      return "lapse";
    case Cause::kRejoin:
      return "rejoin";
  }
  return "";
}

}  // namespace qure
