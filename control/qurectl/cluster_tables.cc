#include "control/qurectl/cluster_tables.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "control/qurectl/tables.h"

namespace qure {
namespace {

using nlohmann::ordered_json;

constexpr size_t kShortId = 8;  // digits: enough to tell the nodes of a cluster apart, and accepted as a prefix

std::string Number(const ordered_json& value) {
  return absl::StrCat(value.get<uint64_t>());
}

std::string TextOr(const ordered_json& value, const char* otherwise) {
  return value.is_null() || value.get<std::string>().empty() ? otherwise : value.get<std::string>();
}

std::string StateText(const ordered_json& node) {
  return node.at("state").get<std::string>() + (node.at("maintenance").get<bool>() ? ", maintenance" : "") +
         (node.at("draining").get<bool>() ? ", draining" : "");
}

std::string HeardText(const ordered_json& node) {
  return node.at("state") == "self" ? "-" : UptimeText(node.at("heard_ago_seconds").get<double>()) + " ago";
}

std::string EventsTable(const ordered_json& events) {
  Table table({{"TIME"},
               {"NODE"},
               {"BOOT", Align::kRight},
               {"ERA", Align::kRight},
               {"TERM", Align::kRight},
               {"EVENT"},
               {"ABOUT"},
               {"NOTE"}});
  for (const ordered_json& event : events) {
    table.Add({event.at("time").get<std::string>(), NodeText(event.at("node"), event.at("name")),
               Number(event.at("age")), Number(event.at("era")), TermText(event.at("term")),
               event.at("kind").get<std::string>(), NodeText(event.at("subject"), event.at("subject_name")),
               event.at("text").get<std::string>() + (event.at("clock_ahead").get<bool>() ? " (clock ahead)" : "")});
  }
  return table.empty() ? "nothing has happened yet\n" : table.Render();
}

std::string ErasTable(const ordered_json& eras) {
  Table table({{"ERA", Align::kRight},
               {"BEGAN"},
               {"ENDED"},
               {"FOUNDER"},
               {"BOOTS", Align::kRight},
               {"TAKEOVERS", Align::kRight},
               {"MOST ONLINE", Align::kRight}});
  for (const ordered_json& era : eras) {
    table.Add({Number(era.at("era")), era.at("began").get<std::string>(), era.at("ended").get<std::string>(),
               NodeText(era.at("founder"), era.at("founder_name")), Number(era.at("boots")),
               Number(era.at("takeovers")), Number(era.at("most_online"))});
  }
  return table.empty() ? "" : table.Render() + "\n";
}

}  // namespace

std::string TermText(const ordered_json& term) {
  return term.is_null() ? "-" : absl::StrCat(Number(term.at("era")), ".", Number(term.at("epoch")));
}

std::string NodeText(const ordered_json& id, const ordered_json& name) {
  if (!name.is_null()) return name.get<std::string>();
  return id.is_null() ? "-" : id.get<std::string>().substr(0, kShortId);
}

std::string NodesText(const ordered_json& nodes) {
  Table table({{"NODE"},
               {"ID"},
               {"ROLE"},
               {"STATE"},
               {"BOOT", Align::kRight},
               {"ERA", Align::kRight},
               {"UPTIME"},
               {"HEARD"},
               {"ADDRESS"},
               {"PRIORITY", Align::kRight},
               {"WEIGHT", Align::kRight},
               {"CONFIG"},
               {"REVISION"}});
  for (const ordered_json& node : nodes.at("nodes")) {
    table.Add({node.at("name").get<std::string>(), node.at("node").get<std::string>().substr(0, kShortId),
               TextOr(node.at("role"), "-"), StateText(node), Number(node.at("age")), Number(node.at("era")),
               UptimeText(node.at("uptime_seconds").get<double>()), HeardText(node), TextOr(node.at("address"), "-"),
               absl::StrCat(node.at("priority").get<int64_t>()), Number(node.at("weight")),
               node.at("config_differs").get<bool>() ? "differs" : "same", TextOr(node.at("revision"), "-")});
  }
  return table.empty() ? "no node is known\n" : table.Render();
}

std::string LeadText(const ordered_json& term) {
  const auto node = [&](const char* key) {
    const ordered_json& who = term.at(key);
    return who.is_null() ? std::string("-") : NodeText(who.at("node"), who.at("name"));
  };
  return absl::StrCat("term ", TermText(term.at("term")), ", master ", node("master"), ", deputy ", node("deputy"),
                      ", this node: ", TextOr(term.at("role"), "-"), "\n");
}

std::string HistoryText(const ordered_json& history) {
  const ordered_json& events = history.at("events");
  std::string text = ErasTable(history.at("eras")) + EventsTable(events);
  absl::StrAppend(&text, "\nera ", Number(history.at("era")), ", cluster up ",
                  UptimeText(history.at("cluster_uptime_seconds").get<double>()), ", ",
                  Number(history.at("reboots_since_revision")), " reboots since revision ",
                  TextOr(history.at("revision"), "-"));
  if (events.size() < history.at("events_total").get<size_t>()) {
    absl::StrAppend(&text, "; the last ", events.size(), " of ", Number(history.at("events_total")),
                    " events, --limit shows more");
  }
  return text + "\n";
}

std::string CandidatesText(const ordered_json& candidates) {
  std::string text;
  if (const ordered_json& joining = candidates.at("joining"); !joining.is_null()) {
    const auto code = joining.at("code").get<std::string>();
    const auto state = joining.at("state").get<std::string>();
    absl::StrAppend(&text, "this node waits to be taken in (", state, "): `qurectl admit ", code,
                    "` on a node of the cluster\n");
    for (const ordered_json& cluster : joining.at("clusters")) {
      absl::StrAppend(&text, "  would be taken in by ", cluster.at("fingerprint").get<std::string>(), " (",
                      cluster.at("name").get<std::string>(), ")\n");
    }
    return text;
  }
  if (const ordered_json& seconds = candidates.at("all_for_seconds"); !seconds.is_null()) {
    absl::StrAppend(&text, "all that ask are taken in for ", UptimeText(seconds.get<double>()), "\n");
  }
  Table table({{"CODE"}, {"NAME"}, {"ID"}, {"MAC"}, {"STATE"}, {"HEARD"}, {"REVISION"}});
  for (const ordered_json& candidate : candidates.at("candidates")) {
    table.Add({candidate.at("code").get<std::string>(), candidate.at("name").get<std::string>(),
               candidate.at("node").get<std::string>().substr(0, kShortId), candidate.at("mac").get<std::string>(),
               candidate.at("state").get<std::string>(),
               UptimeText(candidate.at("heard_ago_seconds").get<double>()) + " ago",
               TextOr(candidate.at("revision"), "-")});
  }
  return text + (table.empty() ? "no node asks to be taken in\n" : table.Render());
}

std::string ClustersText(const ordered_json& clusters) {
  Table table({{"NAME"}, {"NODES", Align::kRight}, {"HEARD"}, {"FINGERPRINT"}});
  for (const ordered_json& cluster : clusters.at("clusters")) {
    const ordered_json& ago = cluster.at("heard_ago_seconds");
    table.Add({cluster.at("name").get<std::string>(), Number(cluster.at("nodes")),
               cluster.at("own").get<bool>() ? "this node's" : UptimeText(ago.get<double>()) + " ago",
               cluster.at("fingerprint").get<std::string>()});
  }
  return table.empty() ? "no cluster with records is heard\n" : table.Render();
}

std::string RollText(const ordered_json& roll) {
  const std::string own = TextOr(roll.at("fingerprint"), "has no key: its store cannot be written");
  const std::string cluster = TextOr(roll.at("cluster"), "keeps no records: `qurectl cluster found` begins them");
  std::string text = absl::StrCat("this node  ", own, "\ncluster    ", cluster, "\n");
  if (const ordered_json& other = roll.at("founded_otherwise"); !other.is_null()) {
    absl::StrAppend(&text, "ALARM: founded otherwise at ", NodeText(other.at("node"), other.at("name")), "\n");
  }
  Table table({{"NODE"}, {"ID"}, {"STATE"}, {"FINGERPRINT"}});
  for (const ordered_json& node : roll.at("nodes")) {
    table.Add({NodeText(node.at("node"), node.at("name")), node.at("node").get<std::string>().substr(0, kShortId),
               TextOr(node.at("state"), "not heard"), node.at("fingerprint").get<std::string>()});
  }
  for (const ordered_json& node : roll.at("outside")) {
    table.Add({NodeText(node.at("node"), node.at("name")), node.at("node").get<std::string>().substr(0, kShortId),
               "does not belong to it", "-"});
  }
  if (!table.empty()) absl::StrAppend(&text, "\n", table.Render());
  if (const auto code = roll.find("recovery_code"); code != roll.end()) {
    absl::StrAppend(
        &text, "\nrecovery code: ", code->get<std::string>(),
        "\nWrite it on paper: it is shown this once, and kept nowhere. It alone signs who stays when a node "
        "was stolen.\n");
  }
  return text;
}

std::string TokensText(const ordered_json& tokens) {
  // A new one stands alone, so that scripts can take it.
  if (const auto token = tokens.find("token"); token != tokens.end()) return token->get<std::string>() + "\n";
  Table table({{"TOKEN"}, {"NODES LEFT", Align::kRight}, {"ENDS IN"}, {"TAKEN IN"}});
  for (const ordered_json& token : tokens.at("tokens")) {
    const auto used_by = token.at("used_by").get<std::vector<std::string>>();
    table.Add({token.at("id").get<std::string>(), Number(token.at("uses_left")),
               UptimeText(token.at("expires_in_seconds").get<double>()),
               used_by.empty() ? "-" : absl::StrJoin(used_by, ", ")});
  }
  return table.empty() ? "no token is open\n" : table.Render();
}

std::string KeysText(const ordered_json& keys) {
  if (keys.at("open").get<bool>()) return "security = \"open\": no key is needed to join\n";
  Table table({{"KEY", Align::kRight}, {"IN USE"}});
  for (const ordered_json& key : keys.at("keys")) {
    table.Add({Number(key.at("id")), key.at("in_use").get<bool>() ? "yes" : "accepted"});
  }
  return table.empty() ? "no key: this node does not speak to other nodes\n" : table.Render();
}

}  // namespace qure
