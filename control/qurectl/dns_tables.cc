#include "control/qurectl/dns_tables.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "control/qurectl/tables.h"

namespace qure {

using nlohmann::ordered_json;

namespace {

std::string ZonesText(const ordered_json& zones) {
  Table table({{"ZONE"}, {"FROM"}, {"SERIAL", Align::kRight}, {"NAMES", Align::kRight}, {"RECORDS", Align::kRight}});
  for (const ordered_json& zone : zones) {
    table.Add({zone.at("zone").get<std::string>(), zone.at("from").get<std::string>(),
               absl::StrCat(zone.at("serial").get<uint64_t>()), absl::StrCat(zone.at("names").get<uint64_t>()),
               absl::StrCat(zone.at("records").get<uint64_t>())});
  }
  return table.empty() ? "no zone is answered\n" : table.Render();
}

// The records of each section, as in a zone file.
std::string LookupText(const ordered_json& answer) {
  std::string text =
      absl::StrCat(answer.at("rcode").get<std::string>(), ", ", answer.at("reason").get<std::string>(), "\n");
  for (const char* section : {"answer", "authority", "additional"}) {
    if (answer.at(section).empty()) continue;
    absl::StrAppend(&text, section, ":\n");
    for (const ordered_json& line : answer.at(section)) absl::StrAppend(&text, "  ", line.get<std::string>(), "\n");
  }
  return text;
}

std::string Joined(const ordered_json& texts) {
  std::string joined;
  for (const ordered_json& text : texts) absl::StrAppend(&joined, joined.empty() ? "" : ", ", text.get<std::string>());
  return joined.empty() ? "none" : joined;
}

std::string UpstreamsText(const ordered_json& servers) {
  Table table({{"SERVER"},
               {"STATE"},
               {"ROUND TRIP", Align::kRight},
               {"ANSWERS", Align::kRight},
               {"FAILURES", Align::kRight},
               {"LAST FAILURE"}});
  for (const ordered_json& row : servers) {
    table.Add({row.at("server").get<std::string>(), row.at("state").get<std::string>(),
               absl::StrFormat("%.1f ms", row.at("round_trip_ms").get<double>()),
               absl::StrCat(row.at("answers").get<uint64_t>()), absl::StrCat(row.at("failures").get<uint64_t>()),
               row.at("last_failure").get<std::string>()});
  }
  return table.empty() ? "no server is asked: cluster.resolver has no upstreams\n" : table.Render();
}

std::string AliasesText(const ordered_json& aliases) {
  Table table({{"TARGET"}, {"STATE"}, {"ADDRESSES"}});
  for (const ordered_json& row : aliases) {
    table.Add({row.at("target").get<std::string>(), row.at("state").get<std::string>(), Joined(row.at("addresses"))});
  }
  return table.empty() ? "there is no record of type ALIAS\n" : table.Render();
}

// Names of counts and the counts; those within a value stand below it, indented.
std::string CountsText(const ordered_json& counts, const std::string& indent = {}) {
  std::string text;
  for (const auto& [name, value] : counts.items()) {
    if (value.is_object()) {
      absl::StrAppend(&text, indent, name, ":\n", CountsText(value, indent + "  "));
    } else {
      absl::StrAppend(&text, absl::StrFormat("%s%-20s %d\n", indent, name, value.get<uint64_t>()));
    }
  }
  return text;
}

std::string MdnsText(const ordered_json& mdns) {
  if (!mdns.at("enabled").get<bool>()) return "nothing is published: cluster.mdns.enabled is false\n";
  std::string text;
  for (const ordered_json& link : mdns.at("links")) {
    const bool open = link.at("open").get<bool>();
    const bool settled = link.at("settled").get<bool>();
    absl::StrAppend(&text, mdns.at("interface").get<std::string>(), ", ", link.at("family").get<std::string>(), ": ",
                    !open     ? "not in use"
                    : settled ? "published"
                              : "probing",
                    "\n");
  }
  Table table({{"NAME"}, {"TYPE"}, {"TTL", Align::kRight}});
  for (const ordered_json& row : mdns.at("records")) {
    table.Add({row.at("name").get<std::string>(), row.at("type").get<std::string>(),
               absl::StrCat(row.at("ttl").get<uint64_t>())});
  }
  return text + table.Render();
}

std::string RegistrationText(const ordered_json& shown) {
  if (shown.is_null()) return "nothing is registered: there is no [cluster.registration]\n";
  const auto seconds = [&](const char* key) {
    return shown.at(key).is_null() ? std::string("never") : UptimeText(shown.at(key).get<double>());
  };
  const auto or_none = [](const ordered_json& text) { return text.is_null() ? "none" : text.get<std::string>(); };
  const ordered_json& echo = shown.at("echo");
  std::string text = absl::StrCat(
      "state:         ", shown.at("state").get<std::string>(), "\nname:          ", shown.at("name").get<std::string>(),
      "\nshared name:   ", or_none(shown.at("shared")), "\nserver:        ", shown.at("server").get<std::string>(),
      "\nkey:           ", shown.at("key").get<std::string>(), "\naddresses:     ", Joined(shown.at("addresses")),
      "\nregistered:    ", Joined(shown.at("registered")), "\nlast success:  ", seconds("last_success_seconds_ago"),
      "\nnext attempt:  ", seconds("next_attempt_in_seconds"), "\nrepairs:       ", shown.at("repairs").get<uint64_t>(),
      "\n");
  for (const ordered_json& server : echo.at("servers")) {
    absl::StrAppend(&text, "echo:          ", server.at("server").get<std::string>(), " sees ",
                    or_none(server.at("seen")), "\n");
  }
  if (!echo.at("problem").is_null()) absl::StrAppend(&text, "problem:       ", or_none(echo.at("problem")), "\n");
  if (!shown.at("error").is_null()) {
    absl::StrAppend(&text, "error:         ", or_none(shown.at("error")), " (", shown.at("retries").get<uint64_t>(),
                    " in a row)\n");
  }
  return text;
}

}  // namespace

std::string DnsText(const ordered_json& answer) {
  if (answer.contains("zones")) return ZonesText(answer.at("zones"));
  if (answer.contains("registration")) return RegistrationText(answer.at("registration"));
  if (answer.contains("upstreams")) return UpstreamsText(answer.at("upstreams"));
  if (answer.contains("aliases")) return AliasesText(answer.at("aliases"));
  if (answer.contains("mdns")) return MdnsText(answer.at("mdns"));
  for (const char* part : {"cache", "server"}) {
    if (answer.contains(part)) return CountsText(answer.at(part));
  }
  return LookupText(answer);
}

}  // namespace qure
