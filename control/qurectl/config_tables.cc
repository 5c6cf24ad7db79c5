#include "control/qurectl/config_tables.h"

#include "absl/strings/str_cat.h"
#include "control/qurectl/tables.h"

namespace qure {
namespace {

using nlohmann::ordered_json;

std::string LeftText(const ordered_json& seconds) {
  return UptimeText(seconds.get<double>());
}

std::string ChangeText(const ordered_json& change) {
  return absl::StrCat(change.at("version").get<std::string>(), ", ", change.at("stage").get<std::string>(), ", by ",
                      change.at("by").get<std::string>(), " at ", change.at("time").get<std::string>(), ", ",
                      change.at("bytes").get<uint64_t>(), " bytes");
}

// A change that was just taken, or only checked.
std::string TakenText(const ordered_json& answer) {
  const auto version = answer.at("version").get<std::string>();
  const auto stage = answer.at("stage").get<std::string>();
  if (stage == "checked") return "all nodes would take it\n";
  if (stage == "confirmed") return absl::StrCat("configuration ", version, " is confirmed\n");
  return absl::StrCat("configuration ", version, " is in effect; it is rolled back in ",
                      LeftText(answer.at("confirm_within_seconds")),
                      " unless you confirm it: `qurectl config confirm`\n");
}

std::string PendingText(const ordered_json& pending) {
  const ordered_json& left = pending.at("left_seconds");
  if (left.is_null()) return absl::StrCat("pending    ", ChangeText(pending), "\n");
  return absl::StrCat("pending    ", ChangeText(pending), "; rolled back in ", LeftText(left),
                      " unless `qurectl config confirm` comes before\n");
}

std::string UnableText(const ordered_json& unable) {
  const auto where = unable.at("where").get<std::string>();
  const auto remedy = unable.at("remedy").get<std::string>();
  return absl::StrCat("ALARM: this node cannot run it, and serves nothing: ", where, where.empty() ? "" : ": ",
                      unable.at("reason").get<std::string>(), remedy.empty() ? "" : "; ", remedy, "\n");
}

std::string StateText(const ordered_json& answer) {
  if (!answer.at("possible").get<bool>()) {
    return "each node runs its own file: this one does not belong to a cluster with records (`qurectl cluster "
           "found`)\n";
  }
  std::string text;
  if (const ordered_json& in_effect = answer.at("in_effect"); in_effect.is_null()) {
    text = "each node runs its own file: `qurectl config adopt` on the master gives all of them one configuration\n";
  } else {
    text = absl::StrCat("in effect  ", ChangeText(in_effect), "\n");
  }
  if (!answer.at("pending").is_null()) text += PendingText(answer.at("pending"));
  if (answer.at("on_trial").get<bool>()) text += "on trial   this node tries a change for a moment\n";
  if (!answer.at("unable").is_null()) text += UnableText(answer.at("unable"));
  for (const ordered_json& lost : answer.at("lost")) {
    absl::StrAppend(&text, "ALARM: lost: ", ChangeText(lost), "; `qurectl config acknowledge` once you have seen it\n");
  }
  if (answer.at("in_effect").is_null()) return text;
  Table table({{"NODE"}, {"RUNS"}});
  for (const ordered_json& node : answer.at("nodes")) {
    const auto runs = node.at("runs").get<std::string>();
    const std::string what = runs == "same" ? "it" : runs == "none" ? "its own file" : "another version";
    table.Add({node.at("name").get<std::string>(), node.at("unable").get<bool>() ? what + ", unable" : what});
  }
  return absl::StrCat(text, "\n", table.Render());
}

std::string VersionsText(const ordered_json& history) {
  if (history.empty()) return "this node knows no configuration of the cluster\n";
  Table table({{"N", Align::kRight}, {"VERSION"}, {"STAGE"}, {"BY"}, {"TIME"}, {"BYTES", Align::kRight}, {"TEXT"}});
  for (const ordered_json& row : history) {
    const ordered_json& number = row.at("number");
    table.Add({number.is_null() ? "-" : std::to_string(number.get<uint32_t>()), row.at("version").get<std::string>(),
               row.at("stage").get<std::string>(), row.at("by").get<std::string>(), row.at("time").get<std::string>(),
               std::to_string(row.at("bytes").get<uint64_t>()), row.at("text_here").get<bool>() ? "here" : "-"});
  }
  return table.Render();
}

}  // namespace

std::string SharedConfigText(const ordered_json& answer) {
  if (const auto history = answer.find("history"); history != answer.end()) return VersionsText(*history);
  if (const auto text = answer.find("text"); text != answer.end()) return text->get<std::string>();
  return answer.contains("in_effect") ? StateText(answer) : TakenText(answer);
}

}  // namespace qure
