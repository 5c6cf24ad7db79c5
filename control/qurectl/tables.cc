#include "control/qurectl/tables.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "control/operator/verdict.h"
#include "control/qurectl/cluster_tables.h"

namespace qure {
namespace {

using nlohmann::ordered_json;

std::string Cell(const ordered_json& value) {
  if (value.is_null()) return "-";
  if (value.is_string()) return value.get<std::string>();
  if (value.is_boolean()) return value.get<bool>() ? "yes" : "no";
  return value.dump();
}

std::string Number(const ordered_json& value) {
  return absl::StrCat(value.get<uint64_t>());
}

std::string ReloadText(const ordered_json& reload) {
  const std::string time = Cell(reload.at("time"));
  if (reload.at("success").get<bool>()) return absl::StrCat(time, ", applied");
  return absl::StrCat(time, ", refused:\n", Cell(reload.at("error")));
}

std::string VerifiedText(const ordered_json& address) {
  return address.at("alarm").get<bool>() ? "ALARM" : Cell(address.at("verified"));
}

std::string Line(const char* key, const std::string& value) {
  return absl::StrFormat("%-10s %s\n", key, value);
}

std::string MillisecondsText(const ordered_json& seconds) {
  return absl::StrFormat("%.1f ms", seconds.get<double>() * 1e3);
}

std::string RoleText(const ordered_json& status) {
  std::string text = Cell(status.at("role"));
  if (!status.at("phase").is_null()) absl::StrAppend(&text, " (", Cell(status.at("phase")), ")");
  if (status.at("maintenance").get<bool>()) text += ", in maintenance";
  if (status.at("ineligible").get<bool>()) text += ", ineligible: another machine has this identity";
  if (status.at("clock") != "ok") text += ", ineligible: the clock of this machine counts timer ticks (jiffies)";
  if (status.at("link") != "up") text += ", the link of the LAN port is DOWN";
  if (status.at("without_gateway").get<bool>()) text += ", GATEWAY AWAY: serving the LAN without it";
  return absl::StrCat(text, ", term ", TermText(status.at("term")));
}

std::string NodeOf(const ordered_json& who) {
  return who.is_null() ? "-" : NodeText(who.at("node"), who.at("name"));
}

std::string TakeoverText(const ordered_json& takeover) {
  if (takeover.is_null()) return "none by this node";
  return absl::StrCat(Cell(takeover.at("cause")), ", took ", MillisecondsText(takeover.at("took_seconds")), ", ",
                      UptimeText(takeover.at("ago_seconds").get<double>()), " ago");
}

// "degraded: n2 down; no deputy"
std::string VerdictLine(const ordered_json& verdict) {
  std::string text = verdict.at("state").get<std::string>();
  if (text == NameOf(VerdictState::kNotServing)) text = "NOT SERVING";
  const char* separator = ": ";
  for (const ordered_json& reason : verdict.at("reasons")) {
    absl::StrAppend(&text, std::exchange(separator, "; "), Cell(reason));
  }
  return text + "\n";
}

std::string ClusterLines(const ordered_json& status) {
  const ordered_json& lease = status.at("lease");
  std::string deputy = NodeOf(status.at("deputy"));
  if (lease.at("seconds").get<double>() > 0) {
    absl::StrAppend(&deputy, ", lease ", MillisecondsText(lease.at("seconds")), ", longest gap ",
                    MillisecondsText(lease.at("longest_gap_seconds")));
  }
  if (!lease.at("clock_ratio").is_null()) {
    absl::StrAppendFormat(&deputy, ", clock ratio %.4f", lease.at("clock_ratio").get<double>());
  }
  if (status.at("clocks_differ").get<bool>()) deputy += ": NOT READY, the clocks of master and deputy differ";
  std::string text = Line("master", NodeOf(status.at("master")));
  text += Line("deputy", deputy);
  text += Line("cluster", absl::StrCat("era ", Cell(status.at("era")), ", ", Cell(status.at("nodes_present")),
                                       " nodes, up ", UptimeText(status.at("cluster_uptime_seconds").get<double>()),
                                       status.at("open").get<bool>() ? ", OPEN: any host can join" : "",
                                       status.at("multicast").get<bool>() ? "" : ", multicast does not work"));
  return text + Line("takeover", TakeoverText(status.at("last_takeover")));
}

}  // namespace

std::string Table::Render() const {
  std::vector<size_t> widths;
  for (size_t i = 0; i < columns_.size(); ++i) {
    size_t width = columns_[i].title.size();
    for (const auto& row : rows_) width = std::max(width, row[i].size());
    widths.push_back(width);
  }
  std::string text;
  const auto add_line = [&](auto cell) {
    std::string line;
    for (size_t i = 0; i < columns_.size(); ++i) {
      const std::string padding(widths[i] - cell(i).size(), ' ');
      if (i > 0) line += "  ";
      line += columns_[i].align == Align::kRight ? padding + cell(i) : cell(i) + padding;
    }
    line.erase(line.find_last_not_of(' ') + 1);
    text += line + "\n";
  };
  add_line([&](size_t i) -> const std::string& { return columns_[i].title; });
  for (const auto& row : rows_) {
    add_line([&](size_t i) -> const std::string& { return row[i]; });
  }
  return text;
}

std::string UptimeText(double seconds) {
  const auto whole = static_cast<int64_t>(seconds);
  const int64_t minutes = whole / 60;
  const int64_t hours = minutes / 60;
  if (minutes == 0) return absl::StrCat(whole, "s");
  if (hours == 0) return absl::StrCat(minutes, "m ", whole % 60, "s");
  if (hours < 24) return absl::StrCat(hours, "h ", minutes % 60, "m");
  return absl::StrCat(hours / 24, "d ", hours % 24, "h");
}

std::string StatusText(const ordered_json& status) {
  std::string text = VerdictLine(status.at("verdict"));
  text += Line("node", absl::StrCat(Cell(status.at("name")), ", id ", Cell(status.at("node_id")), ", boot ",
                                    Cell(status.at("age"))));
  text += Line("version", absl::StrCat(Cell(status.at("version")), ", revision ", Cell(status.at("revision"))));
  text += Line("uptime", UptimeText(status.at("uptime_seconds").get<double>()));
  text += Line("role", RoleText(status));
  if (status.at("clustered").get<bool>()) text += ClusterLines(status);
  text += Line("gate", Cell(status.at("gate")));
  text += Line("snapshot", Cell(status.at("snapshot_revision")));
  text += Line("node MAC", Cell(status.at("node_mac")));
  text += Line("config", ReloadText(status.at("last_reload")));
  for (const ordered_json& conflict : status.at("address_conflicts")) {
    text += Line("address", absl::StrCat("ALARM: ", Cell(conflict.at("address")), " of this node is used by ",
                                         Cell(conflict.at("used_by")), ", too"));
  }
  for (const ordered_json& other : status.at("namesakes")) {
    for (const char* what : {"name", "address"}) {
      if (other.at(what).is_null()) continue;
      text += Line(
          what, absl::StrCat("ALARM: node ", Cell(other.at("node")), " has this node's, too: ", Cell(other.at(what))));
    }
  }
  for (const ordered_json& stranger : status.at("strangers")) {
    text += Line("stranger", absl::StrCat(Cell(stranger.at("node")), " at ", Cell(stranger.at("mac")), " ",
                                          Cell(stranger.at("advice"))));
  }
  if (status.at("store") != "ok") text += Line("store", "ALARM: " + Cell(status.at("store")));

  Table table({{"ADDRESS"},
               {"STATE"},
               {"MAC"},
               {"VERIFIED"},
               {"HOLDER"},
               {"CONFLICTS", Align::kRight},
               {"DEFENSES", Align::kRight},
               {"UNANSWERED", Align::kRight}});
  for (const ordered_json& address : status.at("addresses")) {
    const bool contested = !address.at("contested_by").is_null();
    table.Add({Cell(address.at("address")), Cell(address.at("state")) + (contested ? ", CONTESTED" : ""),
               Cell(address.at("mac")), VerifiedText(address), Cell(address.at(contested ? "contested_by" : "holder")),
               Number(address.at("conflicts")), Number(address.at("defenses")), Number(address.at("verify_failures"))});
  }
  return table.empty() ? text : text + "\n" + table.Render();
}

int StatusExit(const ordered_json& status) {
  const auto said = status.at("verdict").at("state").get<std::string>();
  for (const VerdictState state : {VerdictState::kServing, VerdictState::kDegraded}) {
    if (said == NameOf(state)) return static_cast<int>(state);
  }
  return static_cast<int>(VerdictState::kNotServing);
}

std::string PortsText(const ordered_json& ports) {
  Table table({{"PORT"},
               {"DEVICE"},
               {"DRIVER"},
               {"MAC"},
               {"LINK"},
               {"IDLE"},
               {"MTU", Align::kRight},
               {"QUEUES", Align::kRight},
               {"RX FRAMES", Align::kRight},
               {"RX BYTES", Align::kRight},
               {"TX FRAMES", Align::kRight},
               {"TX BYTES", Align::kRight}});
  for (const ordered_json& port : ports.at("ports")) {
    table.Add({Cell(port.at("name")), Cell(port.at("device")), Cell(port.at("driver")), Cell(port.at("mac")),
               Cell(port.at("link")), port.at("interrupts").get<bool>() ? "interrupts" : "naps", Number(port.at("mtu")),
               Number(port.at("queues")), Number(port.at("rx_frames")), Number(port.at("rx_bytes")),
               Number(port.at("tx_frames")), Number(port.at("tx_bytes"))});
  }
  return table.Render();
}

std::string CountersText(const ordered_json& counters, bool all) {
  Table reasons({{"REASON"}, {"VERDICT"}, {"LAN", Align::kRight}, {"HOST", Align::kRight}, {"MEANING"}});
  for (const ordered_json& reason : counters.at("reasons")) {
    const bool occurred = reason.at("lan").get<uint64_t>() + reason.at("host").get<uint64_t>() > 0;
    if (!all && !occurred) continue;
    reasons.Add({Cell(reason.at("reason")), Cell(reason.at("verdict")), Number(reason.at("lan")),
                 Number(reason.at("host")), Cell(reason.at("help"))});
  }
  Table workers({{"WORKER", Align::kRight},
                 {"ROUNDS", Align::kRight},
                 {"BUSY", Align::kRight},
                 {"SLEEPS", Align::kRight},
                 {"SLEPT", Align::kRight},
                 {"STALLS", Align::kRight},
                 {"EVENTS LOST", Align::kRight}});
  for (const ordered_json& worker : counters.at("workers")) {
    workers.Add({Number(worker.at("worker")), Number(worker.at("rounds")), Number(worker.at("busy_rounds")),
                 Number(worker.at("sleeps")), absl::StrFormat("%.1fs", worker.at("sleep_seconds").get<double>()),
                 Number(worker.at("stalls")), Number(worker.at("events_lost"))});
  }
  return absl::StrCat(reasons.empty() ? "no frame yet\n" : reasons.Render(), "\n", workers.Render(), "\n",
                      Number(counters.at("mbufs_in_use")), " mbufs in use\n");
}

}  // namespace qure
