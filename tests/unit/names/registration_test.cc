// The state machine against a model of a server that follows RFC 2136.
#include "control/names/registration.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>
#include <set>

#include "proto/dns/message.h"
#include "proto/dns/name.h"
#include "proto/dns/rdata.h"

namespace qure::test {
namespace {

using State = Registration::State;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

const IpAddress kA = *ParseIp("203.0.113.5");
const IpAddress kB = *ParseIp("203.0.113.77");
const IpAddress kV6 = *ParseIp("2001:db8::5");
const IpAddress kOther = *ParseIp("192.0.2.200");

std::string Wire(std::string_view name) {
  return DnsNameToWire(name).value();
}

RegistrationPlan Plan(const std::string& name = "home1", const std::string& cluster = "one") {
  return {.names = {.zone = Wire("example"),
                    .own = Wire(name + ".example"),
                    .owner = Wire("_qure." + name + ".example"),
                    .shared = Wire("clusters.example")},
          .cluster = cluster};
}

// Sets of rdata by name and type, and their TTLs.
class Model {
 public:
  using Set = std::map<std::string, uint32_t>;

  std::vector<DnsRecord> Ask(const DnsQuestion& question) const {
    std::vector<DnsRecord> records;
    const auto found = sets_.find({question.name, question.type});
    if (found == sets_.end()) return records;
    for (const auto& [rdata, ttl] : found->second) {
      records.push_back({.name = question.name, .type = question.type, .ttl = ttl, .rdata = rdata});
    }
    return records;
  }

  bool Update(const RegistrationPlan& plan, const RegistrationUpdate& update) {
    Set& owner = sets_[{plan.names.owner, kDnsTypeTxt}];
    if (update.before) {
      if (owner.size() != 1 || owner.begin()->first != *update.before) return false;
    } else if (!owner.empty() || !Addresses(plan.names.own).empty()) {
      return false;
    }
    owner.clear();
    if (update.after) owner[*update.after] = plan.ttl;
    sets_[{plan.names.own, kDnsTypeA}].clear();
    sets_[{plan.names.own, kDnsTypeAaaa}].clear();
    for (const IpAddress& address : update.own) Add(plan.names.own, address, plan.ttl);
    for (const IpAddress& address : update.shared_remove) Remove(plan.names.shared, address);
    for (const IpAddress& address : update.shared_add) Add(plan.names.shared, address, plan.ttl);
    ++updates;
    return true;
  }

  void Add(const std::string& name, const IpAddress& address, uint32_t ttl = 60) {
    sets_[{name, DnsAddressType(address)}][DnsAddressRdata(address)] = ttl;
  }
  void Remove(const std::string& name, const IpAddress& address) {
    sets_[{name, DnsAddressType(address)}].erase(DnsAddressRdata(address));
  }
  void SetOwner(const std::string& name, const std::string& rdata) { sets_[{name, kDnsTypeTxt}] = {{rdata, 60}}; }
  void Clear() { sets_.clear(); }

  std::vector<IpAddress> Addresses(const std::string& name) const {
    std::vector<IpAddress> addresses;
    for (const uint16_t type : {kDnsTypeA, kDnsTypeAaaa}) {
      for (const auto& record : Ask({name, type})) addresses.push_back(DnsAddressOf(record.rdata).value());
    }
    return addresses;
  }

  int updates = 0;
  std::string fails;  // the reason why every step fails; empty: none does

 private:
  std::map<std::pair<std::string, uint16_t>, Set> sets_;
};

class Cluster {
 public:
  explicit Cluster(Model* model, RegistrationPlan plan = Plan(), std::vector<IpAddress> addresses = {kA})
      : model_(model), plan_(std::move(plan)) {
    machine.SetPlan(now, plan_);
    machine.SetAddresses(now, std::move(addresses));
  }

  void Lead() { machine.SetMaster(now, true); }
  void Change(const RegistrationPlan& plan) {
    plan_ = plan;
    machine.SetPlan(now, plan);
  }
  // One step, if one is due.
  bool Step() {
    const auto step = machine.Next(now);
    if (!step) return false;
    Answer(*step);
    return true;
  }
  void Answer(const RegistrationStep& step) {
    if (!model_->fails.empty()) return machine.OnFailure(now, model_->fails);
    if (const auto* const question = std::get_if<DnsQuestion>(&step)) {
      return machine.OnRecords(now, model_->Ask(*question));
    }
    if (model_->Update(plan_, std::get<RegistrationUpdate>(step))) return machine.OnUpdated(now);
    machine.OnFailure(now, "overtaken");
  }
  // All steps that are due at this time.
  void Run() {
    for (int steps = 0; Step(); ++steps) ASSERT_LT(steps, 100);
  }
  void Pass(Duration span) {
    const MonoTime until = now + span;
    while (machine.deadline() <= until) {
      now = std::max(now, machine.deadline());
      Run();
    }
    now = until;
  }

  MonoTime now{1'000'000'000};
  std::mt19937 random{7};
  Registration machine{random};

 private:
  Model* model_;
  RegistrationPlan plan_;
};

TEST(Registration, TheMasterRegistersAndReadsItBack) {
  Model model;
  Cluster one(&model, Plan(), {kV6, kA});
  one.Run();
  EXPECT_EQ(one.machine.state(), State::kStandby);
  EXPECT_EQ(model.updates, 0);
  one.Lead();
  one.Run();
  EXPECT_EQ(one.machine.state(), State::kRegistered);
  EXPECT_THAT(model.Addresses(Wire("home1.example")), UnorderedElementsAre(kA, kV6));
  EXPECT_THAT(model.Addresses(Wire("clusters.example")), UnorderedElementsAre(kA, kV6));
  EXPECT_THAT(one.machine.registered(), UnorderedElementsAre(kA, kV6));
  EXPECT_EQ(one.machine.succeeded(), one.now);
  EXPECT_EQ(one.machine.deadline(), one.now + Seconds(600));
}

TEST(Registration, WaitsForTheAddresses) {
  Model model;
  Cluster one(&model, Plan(), {});
  one.Lead();
  EXPECT_EQ(one.machine.deadline(), kNever);
  EXPECT_EQ(one.machine.state(), State::kWaiting);
  one.machine.SetAddresses(one.now, {kA});
  one.Run();
  EXPECT_EQ(one.machine.state(), State::kRegistered);
}

TEST(Registration, AnotherAddressReplacesTheFormerInBothPlaces) {
  Model model;
  model.Add(Wire("clusters.example"), kOther);
  Cluster one(&model);
  one.Lead();
  one.Run();
  one.machine.SetAddresses(one.now, {kB});
  one.Run();
  EXPECT_EQ(one.machine.state(), State::kRegistered);
  EXPECT_THAT(model.Addresses(Wire("home1.example")), ElementsAre(kB));
  EXPECT_THAT(model.Addresses(Wire("clusters.example")), UnorderedElementsAre(kB, kOther));
}

TEST(Registration, ANewMasterFindsTheRegistrationInOrder) {
  Model model;
  Cluster former(&model);
  former.Lead();
  former.Run();
  Cluster next(&model);
  next.Lead();
  next.Run();
  EXPECT_EQ(next.machine.state(), State::kRegistered);
  EXPECT_EQ(model.updates, 1);
}

TEST(Registration, ANewMasterWithAnotherAddressRemovesTheFormerOne) {
  Model model;
  Cluster former(&model);
  former.Lead();
  former.Run();
  Cluster next(&model, Plan(), {kB});
  next.Lead();
  next.Run();
  EXPECT_THAT(model.Addresses(Wire("home1.example")), ElementsAre(kB));
  EXPECT_THAT(model.Addresses(Wire("clusters.example")), ElementsAre(kB));
}

TEST(Registration, TwoClustersShareASetAndNoName) {
  Model model;
  Cluster one(&model);
  Cluster two(&model, Plan("home2", "two"), {kB});
  Cluster thief(&model, Plan("home1", "three"), {kOther});
  for (Cluster* cluster : {&one, &two, &thief}) {
    cluster->Lead();
    cluster->Run();
  }
  EXPECT_THAT(model.Addresses(Wire("clusters.example")), UnorderedElementsAre(kA, kB));
  EXPECT_EQ(thief.machine.state(), State::kTaken);
  EXPECT_THAT(thief.machine.error(), HasSubstr("name taken by cluster \"one\""));
  EXPECT_THAT(model.Addresses(Wire("home1.example")), ElementsAre(kA));
  two.machine.Leave(two.now);
  two.Run();
  EXPECT_TRUE(two.machine.gone());
  EXPECT_EQ(two.machine.state(), State::kRemoved);
  EXPECT_THAT(model.Addresses(Wire("home2.example")), IsEmpty());
  EXPECT_THAT(model.Ask({Wire("_qure.home2.example"), kDnsTypeTxt}), IsEmpty());
  EXPECT_THAT(model.Addresses(Wire("clusters.example")), ElementsAre(kA));
  one.machine.Leave(one.now);
  one.Run();
  thief.Pass(Seconds(10));
  EXPECT_EQ(thief.machine.state(), State::kRegistered) << "the name is free now";
}

TEST(Registration, ANameWithAddressesAndNoOwnerIsTaken) {
  Model model;
  model.Add(Wire("home1.example"), kOther);
  Cluster one(&model);
  one.Lead();
  one.Run();
  EXPECT_EQ(one.machine.state(), State::kTaken);
  EXPECT_EQ(model.updates, 0);
  EXPECT_THAT(one.machine.error(), HasSubstr("has addresses, but no"));
}

TEST(Registration, ATextOfOtherSoftwareIsNotTouched) {
  Model model;
  model.SetOwner(Wire("_qure.home1.example"), "\x05hello");
  Cluster one(&model);
  one.Lead();
  one.Run();
  EXPECT_EQ(one.machine.state(), State::kTaken);
  EXPECT_THAT(one.machine.error(), HasSubstr("other software"));
}

TEST(Registration, WhatIsLostIsFoundAndRepaired) {
  Model model;
  Cluster one(&model);
  one.Lead();
  one.Run();
  model.Remove(Wire("clusters.example"), kA);
  one.Pass(Seconds(599));
  EXPECT_THAT(model.Addresses(Wire("clusters.example")), IsEmpty());
  one.Pass(Seconds(2));
  EXPECT_THAT(model.Addresses(Wire("clusters.example")), ElementsAre(kA));
  EXPECT_EQ(one.machine.repairs(), 1U);
  model.Clear();
  one.Pass(Seconds(600));
  EXPECT_THAT(model.Addresses(Wire("home1.example")), ElementsAre(kA));
  EXPECT_EQ(one.machine.repairs(), 2U);
}

TEST(Registration, AnotherTtlIsRegistered) {
  Model model;
  Cluster one(&model);
  one.Lead();
  one.Run();
  RegistrationPlan plan = Plan();
  plan.ttl = 30;
  one.Change(plan);
  one.Run();
  EXPECT_EQ(one.machine.state(), State::kRegistered);
  EXPECT_EQ(model.Ask({Wire("home1.example"), kDnsTypeA})[0].ttl, 30U);
}

TEST(Registration, RetriesAfterFailuresComeLaterEachTime) {
  Model model;
  model.fails = "no answer";
  Cluster one(&model);
  one.Lead();
  Duration wait = Seconds(1);
  for (uint32_t failures = 1; failures <= 14; ++failures) {
    one.Run();
    EXPECT_EQ(one.machine.state(), State::kFailed);
    EXPECT_EQ(one.machine.error(), "no answer");
    EXPECT_EQ(one.machine.retries(), failures);
    EXPECT_GE(one.machine.deadline(), one.now + wait);
    EXPECT_LE(one.machine.deadline(), one.now + wait + wait / 4);
    one.now = one.machine.deadline();
    wait = std::min(wait * 2, Seconds(300));
  }
  model.fails.clear();
  one.Run();
  EXPECT_EQ(one.machine.state(), State::kRegistered);
  EXPECT_EQ(one.machine.retries(), 0U);
  EXPECT_EQ(one.machine.error(), "");
}

TEST(Registration, AnUpdateWithoutEffectIsAFailure) {
  Model model;
  Cluster one(&model);
  one.Lead();
  while (one.machine.state() != State::kUpdating) ASSERT_TRUE(one.Step());
  ASSERT_TRUE(one.machine.Next(one.now));
  one.machine.OnUpdated(one.now);  // but the model does not apply it
  one.Run();
  EXPECT_EQ(one.machine.state(), State::kFailed);
  EXPECT_THAT(one.machine.error(), HasSubstr("does not show it"));
}

TEST(Registration, AnUpdateThatWasOvertakenHasNoEffect) {
  Model model;
  Cluster one(&model);
  Cluster two(&model, Plan("home1", "two"), {kB});
  one.Lead();
  two.Lead();
  while (one.machine.state() != State::kUpdating) ASSERT_TRUE(one.Step());
  two.Run();  // between the reading and the update
  one.Run();
  EXPECT_EQ(one.machine.state(), State::kFailed);
  EXPECT_THAT(model.Addresses(Wire("home1.example")), ElementsAre(kB));
  one.Pass(Seconds(2));
  EXPECT_EQ(one.machine.state(), State::kTaken);
}

TEST(Registration, AFormerMasterStops) {
  Model model;
  Cluster one(&model);
  one.Lead();
  while (one.machine.state() != State::kUpdating) ASSERT_TRUE(one.Step());
  ASSERT_TRUE(one.machine.Next(one.now));
  EXPECT_TRUE(one.machine.under_way());
  one.machine.SetMaster(one.now, false);
  EXPECT_FALSE(one.machine.under_way());
  EXPECT_EQ(one.machine.deadline(), kNever);
  one.machine.Leave(one.now);
  EXPECT_TRUE(one.machine.gone()) << "the registration is the master's";
}

TEST(Registration, DisabledRemovesTheRegistration) {
  Model model;
  Cluster one(&model);
  one.Lead();
  one.Run();
  RegistrationPlan plan = Plan();
  plan.wanted = false;
  one.Change(plan);
  one.Run();
  EXPECT_EQ(one.machine.state(), State::kRemoved);
  EXPECT_THAT(model.Addresses(Wire("home1.example")), IsEmpty());
  EXPECT_THAT(model.Addresses(Wire("clusters.example")), IsEmpty());
  EXPECT_EQ(one.machine.deadline(), kNever);
  one.Change(Plan());
  one.Run();
  EXPECT_EQ(one.machine.state(), State::kRegistered);
}

TEST(Registration, RemovalLeavesTheRecordsOfAnotherCluster) {
  Model model;
  Cluster two(&model, Plan("home1", "two"), {kB});
  two.Lead();
  two.Run();
  RegistrationPlan plan = Plan();
  plan.wanted = false;
  Cluster one(&model, plan);
  one.Lead();
  one.Run();
  EXPECT_EQ(one.machine.state(), State::kRemoved);
  EXPECT_THAT(model.Addresses(Wire("home1.example")), ElementsAre(kB));
}

TEST(Registration, WithoutASharedSetThereIsNoQueryForIt) {
  Model model;
  RegistrationPlan plan = Plan();
  plan.names.shared.clear();
  Cluster one(&model, plan);
  one.Lead();
  one.Run();
  EXPECT_EQ(one.machine.state(), State::kRegistered);
  EXPECT_THAT(model.Addresses(Wire("home1.example")), ElementsAre(kA));
}

}  // namespace
}  // namespace qure::test
