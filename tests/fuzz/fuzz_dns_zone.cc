// A DNS zone against a model that looks at every name, as RFC 1034 §4.3.2 and RFC 4592 specify. The input is a list of
// records and questions whose names have few and short labels, so that they meet.
#include <algorithm>
#include <map>
#include <set>
#include <string>

#include "proto/dns/zone.h"
#include "proto/dns/zone_builder.h"
#include "tests/fuzz/fuzz.h"
#include "tests/support/dns_reader.h"

namespace qure {
namespace {

using Outcome = DnsZone::Outcome;

constexpr uint16_t kTypes[] = {kDnsTypeA,  kDnsTypeTxt, kDnsTypeNs, kDnsTypeCname,
                               kDnsTypeMx, kDnsTypeDs,  kDnsTypeA,  kDnsTypeAny};

std::string ApexName() {
  return DnsNameToWire("home").value();
}

// Up to four labels below the apex.
std::string TakeName(fuzz::Input* input) {
  constexpr std::string_view kLabels[] = {"a", "b", "ccccccccc", "*"};
  const uint8_t choice = input->Byte();
  const uint8_t labels = input->Byte();
  std::string text;
  for (int i = 0; i < choice % 5; ++i) {
    text += kLabels[labels >> 2 * i & 3];
    text += '.';
  }
  return DnsNameToWire(text + "home").value();
}

std::string RdataOf(uint16_t type, const std::string& target) {
  switch (type) {
    case kDnsTypeNs:
    case kDnsTypeCname:
      return target;
    case kDnsTypeMx:
      return std::string("\0\1", 2) + target;
    case kDnsTypeSoa:
      return target + target + std::string(20, '\1');
    default:
      return "abcd";
  }
}

struct Model {
  std::map<std::string, std::set<uint16_t>> types;  // by name

  bool Has(const std::string& name, uint16_t type) const {
    const auto entry = types.find(name);
    return entry != types.end() && entry->second.contains(type);
  }
  bool IsCut(const std::string& name) const { return name != ApexName() && Has(name, kDnsTypeNs); }
  // The delegation at or above `name`, the topmost one; "" if there is none.
  std::string CutOf(std::string name) const {
    std::string cut;
    for (; name.size() > ApexName().size(); name = DnsParent(std::string_view(name))) {
      if (IsCut(name)) cut = name;
    }
    return cut;
  }
  bool Exists(const std::string& name) const {
    return std::ranges::any_of(types, [&](const auto& entry) {
      const std::string cut = CutOf(entry.first);
      return DnsIsWithin(cut.empty() ? entry.first : cut, name);
    });
  }
  Outcome At(const std::string& name, uint16_t type) const {
    const auto entry = types.find(name);
    if (entry == types.end()) return Outcome::kNoData;
    if (type == kDnsTypeAny || entry->second.contains(type)) return Outcome::kAnswer;
    return entry->second.contains(kDnsTypeCname) ? Outcome::kAlias : Outcome::kNoData;
  }
  Outcome Ask(std::string name, uint16_t type) const {
    const std::string cut = CutOf(name);
    if (!cut.empty() && (cut != name || type != kDnsTypeDs)) return Outcome::kReferral;
    if (!cut.empty()) return Has(name, type) ? Outcome::kAnswer : Outcome::kNoData;
    if (Exists(name)) return At(name, type);
    while (!Exists(name)) name = DnsParent(std::string_view(name));
    const std::string wildcard = std::string("\1*", 2) + name;
    return Exists(wildcard) ? At(wildcard, type) : Outcome::kNxDomain;
  }
};

struct Question {
  std::string name;
  uint16_t type;
};

// The outcome is the model's, and what would be sent can be read.
void Check(const DnsZone& zone, const Model& model, const Question& question) {
  const auto answer = testing::AskZone(zone, question.name, question.type);
  FUZZ_CHECK(answer.has_value());
  FUZZ_CHECK(answer->outcome == model.Ask(question.name, question.type));
  FUZZ_CHECK(!answer->records.empty());
  const bool owned = answer->outcome == Outcome::kAnswer || answer->outcome == Outcome::kAlias;
  const auto wire = DnsNameToWire(answer->records[0].name);
  FUZZ_CHECK(wire.has_value());
  FUZZ_CHECK(owned ? *wire == question.name : DnsIsWithin(question.name, *wire));
}

}  // namespace
}  // namespace qure

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace qure;
  fuzz::Input input({data, std::min<size_t>(size, 300)});
  DnsZoneBuilder builder(ApexName(), input.Byte());
  Model model;
  std::vector<Question> questions;
  const auto add = [&](const std::string& name, uint16_t type, const std::string& target) {
    if (!builder.Add({name, type, 60, RdataOf(type, target)})) model.types[name].insert(type);
  };
  add(ApexName(), kDnsTypeSoa, ApexName());
  add(ApexName(), kDnsTypeNs, ApexName());
  while (!input.empty()) {
    const uint8_t kind = input.Byte();
    const std::string name = TakeName(&input);
    const uint16_t type = kTypes[kind >> 1 & 7];
    if ((kind & 1) == 0 && type != kDnsTypeAny) {
      add(name, type, TakeName(&input));
    } else {
      questions.push_back({name, type});
    }
  }
  FUZZ_CHECK(!builder.Missing());
  const DnsZone zone = builder.Build();
  for (const Question& question : questions) Check(zone, model, question);
  return 0;
}
