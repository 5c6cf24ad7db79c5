#include "control/qurectl/balance_tables.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "control/qurectl/tables.h"

namespace qure {

using nlohmann::ordered_json;

std::string ServicesText(const ordered_json& services) {
  Table table({{"SERVICE"}, {"HERE"}, {"NODE"}, {"WEIGHT", Align::kRight}, {"SHARE", Align::kRight}});
  for (const ordered_json& service : services.at("services")) {
    std::string name = service.at("name").get<std::string>();
    std::string here = service.at("healthy").get<bool>() ? "healthy" : "ill";
    for (const ordered_json& owner : service.at("owners")) {
      table.Add({std::exchange(name, ""), std::exchange(here, ""), owner.at("name").get<std::string>(),
                 absl::StrCat(owner.at("weight").get<uint64_t>()),
                 absl::StrFormat("%.1f %%", owner.at("share").get<double>() * 100)});
    }
    if (!name.empty()) table.Add({name, here, "-", "", ""});
  }
  if (table.empty()) return "no services are configured\n";
  return absl::StrCat("balance epoch ", services.at("epoch").get<uint64_t>(), "\n", table.Render());
}

std::string FlowsText(const ordered_json& flows) {
  Table table({{"OWNER"}, {"FLOWS", Align::kRight}, {"NOTE"}});
  for (const ordered_json& owner : flows.at("owners")) {
    table.Add({owner.at("name").get<std::string>(), absl::StrCat(owner.at("flows").get<int64_t>()),
               owner.at("draining").get<bool>() ? "draining" : ""});
  }
  return absl::StrCat(table.Render(), "in this node's tables ", flows.at("flows").get<int64_t>(),
                      ", refused for want of room ", flows.at("refused").get<int64_t>(), ", openings that gave way ",
                      flows.at("displaced").get<int64_t>(), "\n");
}

}  // namespace qure
