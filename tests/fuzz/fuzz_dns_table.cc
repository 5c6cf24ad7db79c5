// The DNS table against a model that looks at every name. The input is a list of zones, records and questions whose
// names have few and short labels, so that they meet.
#include <algorithm>
#include <map>
#include <set>
#include <string>

#include "proto/dns_table.h"
#include "tests/fuzz/fuzz.h"

namespace qure {
namespace {

using Outcome = DnsTable::Outcome;

std::string TakeName(fuzz::Input* input) {
  constexpr std::string_view kLabels[] = {"a", "b", "ccccccccc", "home"};
  const uint8_t choice = input->Byte();
  std::string text;
  for (int i = 0; i < (choice & 3) + (choice >> 7); ++i) {
    text += kLabels[(choice >> (2 * (i % 3) + 1)) & 3];
    text += '.';
  }
  return DnsNameToWire(text.empty() ? "." : text).value();
}

std::string_view Parent(std::string_view name) {
  return name.substr(1 + static_cast<size_t>(name[0]));
}

bool IsAtOrAbove(std::string_view upper, std::string_view name) {
  for (; name.size() > upper.size(); name = Parent(name)) {
  }
  return name == upper;
}

struct Model {
  std::set<std::string> apexes;
  std::map<std::string, std::set<uint16_t>> types;  // by name

  // The closest apex at or above `name`, or "".
  std::string ZoneOf(std::string_view name) const {
    std::string zone;
    for (const std::string& apex : apexes) {
      if (IsAtOrAbove(apex, name) && apex.size() > zone.size()) zone = apex;
    }
    return zone;
  }

  bool Exists(const std::string& name) const {
    const auto below = [&name](const std::string& other) { return IsAtOrAbove(name, other); };
    return std::ranges::any_of(apexes, below) ||
           std::ranges::any_of(types, [&](const auto& entry) { return below(entry.first); });
  }

  Outcome Ask(const std::string& name, uint16_t type) const {
    if (ZoneOf(name).empty()) return Outcome::kNotOurs;
    if (!Exists(name)) return Outcome::kNxDomain;
    const auto entry = types.find(name);
    const bool any = type == kDnsTypeAny && entry != types.end();
    return any || (entry != types.end() && entry->second.contains(type)) ? Outcome::kAnswer : Outcome::kNoData;
  }
};

struct Question {
  std::string name;
  uint16_t type;
};

void Check(const DnsTable& table, const Model& model, const Question& question) {
  const ConstBytes name(reinterpret_cast<const uint8_t*>(question.name.data()), question.name.size());
  const DnsTable::Result result = table.Lookup(name, question.type);
  FUZZ_CHECK(result.outcome == model.Ask(question.name, question.type));
  if (result.outcome == Outcome::kNoData || result.outcome == Outcome::kNxDomain) {
    FUZZ_CHECK(result.zone_length == model.ZoneOf(question.name).size());
  }
}

}  // namespace
}  // namespace qure

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace qure;
  fuzz::Input input({data, std::min<size_t>(size, 300)});
  DnsTableBuilder builder(input.Byte());
  Model model;
  std::vector<Question> questions;
  while (!input.empty()) {
    const uint8_t kind = input.Byte();
    const std::string name = TakeName(&input);
    const uint16_t type = (kind & 4) != 0 ? kDnsTypeA : (kind & 8) != 0 ? kDnsTypeAny : kDnsTypeTxt;
    if ((kind & 3) == 0) {
      builder.AddZone(name, 60, std::string(22, '\0'));
      model.apexes.insert(name);
    } else if ((kind & 3) == 1 && type != kDnsTypeAny) {
      builder.AddRecord({name, type, 60, "abcd"});
      model.types[name].insert(type);
    } else {
      questions.push_back({name, type});
    }
  }
  // Records outside every zone are not served; an apex has a SOA.
  std::erase_if(model.types, [&model](const auto& entry) { return model.ZoneOf(entry.first).empty(); });
  for (const std::string& apex : model.apexes) model.types[apex].insert(kDnsTypeSoa);
  const DnsTable table = builder.Build();
  for (const Question& question : questions) Check(table, model, question);
  return 0;
}
