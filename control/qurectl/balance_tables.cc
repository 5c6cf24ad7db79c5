#include "control/qurectl/balance_tables.h"

#include <cmath>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "control/qurectl/tables.h"

namespace qure {

using nlohmann::ordered_json;

namespace {

std::string DrainText(const ordered_json& left) {
  if (left.is_null()) return "draining";
  const auto seconds = left.get<double>();
  return seconds > 0 ? absl::StrCat("draining, gives up its flows in ", UptimeText(std::ceil(seconds)))
                     : "drained, its flows are given up";
}

std::string HereText(const ordered_json& service) {
  if (service.at("check") == "unchecked") return "not yet checked";
  if (service.at("check") == "unreached") return "not reached";
  return service.at("healthy").get<bool>() ? "healthy" : "unhealthy";
}

}  // namespace

std::string ServicesText(const ordered_json& services) {
  Table table({{"SERVICE"}, {"HERE"}, {"NODE"}, {"WEIGHT", Align::kRight}, {"SHARE", Align::kRight}});
  for (const ordered_json& service : services.at("services")) {
    std::string name = service.at("name").get<std::string>();
    std::string here = HereText(service);
    for (const ordered_json& owner : service.at("owners")) {
      table.Add({std::exchange(name, ""), std::exchange(here, ""), owner.at("name").get<std::string>(),
                 absl::StrCat(owner.at("weight").get<uint64_t>()),
                 absl::StrFormat("%.1f %%", owner.at("share").get<double>() * 100)});
    }
    if (!name.empty()) table.Add({name, here, "-", "", ""});
  }
  if (table.empty()) return "no services are configured\n";
  std::string text = absl::StrCat("balance epoch ", services.at("balance_epoch").get<uint64_t>(), "\n", table.Render());
  for (const ordered_json& node : services.at("draining")) {
    absl::StrAppend(&text, node.at("name").get<std::string>(), ": ", DrainText(node.at("drain_left_seconds")), "\n");
  }
  return text;
}

std::string FlowsText(const ordered_json& flows) {
  Table table({{"OWNER"}, {"FLOWS", Align::kRight}, {"NOTE"}});
  for (const ordered_json& owner : flows.at("owners")) {
    table.Add({owner.at("name").get<std::string>(), absl::StrCat(owner.at("flows").get<int64_t>()),
               owner.at("draining").get<bool>() ? DrainText(owner.at("drain_left_seconds")) : ""});
  }
  return absl::StrCat(table.Render(), "in this node's tables ", flows.at("flows").get<int64_t>(),
                      ", refused for lack of room ", flows.at("refused").get<int64_t>(), ", displaced ",
                      flows.at("displaced").get<int64_t>(), "\n");
}

std::string TopText(const ordered_json& top) {
  const auto text = [](const ordered_json& value) { return value.is_null() ? "-" : value.get<std::string>(); };
  Table table({{"REMOTE"},
               {"FLOWS", Align::kRight},
               {"AT MOST", Align::kRight},
               {"SERVICE"},
               {"OWNER"},
               {"OF THEM", Align::kRight}});
  for (const ordered_json& row : top.at("remotes")) {
    std::string remote = row.at("remote").get<std::string>();
    std::string flows = absl::StrCat(row.at("flows").get<uint64_t>());
    std::string at_most = absl::StrCat(row.at("at_most").get<uint64_t>());
    for (const ordered_json& part : row.at("parts")) {
      table.Add({std::exchange(remote, ""), std::exchange(flows, ""), std::exchange(at_most, ""),
                 text(part.at("service")), text(part.at("name")), absl::StrCat(part.at("flows").get<uint64_t>())});
    }
  }
  if (table.empty()) return "no flows in this node's tables at the last pass\n";
  return absl::StrCat(table.Render(), "any other address has at most ", top.at("others_at_most").get<uint64_t>(),
                      "; a pass over the tables takes ten seconds\n");
}

// One step a line, in the order in which they are taken.
std::string ExplainText(const ordered_json& steps) {
  const auto text = [](const ordered_json& value) { return value.is_null() ? "no node" : value.get<std::string>(); };
  std::string out = absl::StrCat(steps.at("protocol").get<std::string>(), " from ", steps.at("from").get<std::string>(),
                                 " to ", steps.at("to").get<std::string>(), "\n");
  if (steps.contains("service")) {
    absl::StrAppend(&out, "  service       ", steps.at("service").is_null() ? "none" : text(steps.at("service")), "\n");
  }
  if (steps.contains("flow")) {
    const ordered_json& flow = steps.at("flow");
    absl::StrAppend(&out, "  known flow    ",
                    flow.is_null()     ? "no"
                    : flow.is_string() ? text(flow)
                                       : absl::StrCat("owner ", text(flow.at("owner")), ", ", text(flow.at("state")),
                                                      flow.at("pinned").get<bool>() ? ", pinned" : ""),
                    "\n");
  }
  if (steps.contains("entry")) {
    absl::StrAppend(&out, "  entry         ", steps.at("entry").get<uint64_t>(), " by ", text(steps.at("affinity")),
                    ", balance epoch ", steps.at("balance_epoch").get<uint64_t>(), ": owner ", text(steps.at("owner")),
                    ", before ", text(steps.at("owner_before")), "\n");
    for (const ordered_json& other : steps.value("others", ordered_json::array())) {
      absl::StrAppend(&out, "  not ", text(other.at("name")), ": ", text(other.at("why_not")), "\n");
    }
  }
  absl::StrAppend(&out, "  verdict       ", text(steps.at("verdict")), ", ", text(steps.at("reason")), ": ",
                  text(steps.at("meaning")), "\n");
  if (steps.contains("frame")) {
    const ordered_json& frame = steps.at("frame");
    absl::StrAppend(&out, "  frame         ", text(frame.at("source")), " > ", text(frame.at("destination")));
    if (frame.contains("node")) {
      absl::StrAppend(&out, ", ", text(frame.at("node")), " on hop ", frame.at("hop").get<uint64_t>());
    }
    out += "\n";
  }
  return out;
}

}  // namespace qure
